"""What FHIR R4 says, compiled: elements, bindings, search parameters, compartments, and what follows from them.

Owns structural validation, the extraction of index values and references, and the typed shapes of resources. Knows no
hospital, no database and no request: whether a reference exists or a caller may see it is decided above.
"""
