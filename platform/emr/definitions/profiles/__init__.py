"""Profiles: StructureDefinitions that constrain a type, compiled into checks (FHIR R4, profiling.html).

Owns reading of packages, the merging of a differential into what its base says, and the checks. Whose profiles they are
and when they apply is decided above. What a profile asks for and cannot be checked here is listed, never passed over.
"""
