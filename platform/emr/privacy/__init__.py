"""The privacy officer's work: who looked at what, when, as what.

Owns searching the hospital's audit trail and the view of its rows as FHIR AuditEvents. Does not write the trail, and
does not decide who may read it: the duty `privacy` does.
"""
