"""FHIR R4 over HTTP: what stands in an address or a header, turned into the record's verbs and back.

One file per interaction. Owns no rule of the record; what it says in the CapabilityStatement is made from what is here.
"""
