"""The privacy officer's work: who looked at what, when, as what.

Owns searching the hospital's audit trail, its rows as FHIR AuditEvents, and its rows in plain words: the search, one
patient's report, and who looked in from outside. Does not write the trail, and does not decide who may read it: the
duty `privacy` does.
"""
