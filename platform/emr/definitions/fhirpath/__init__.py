"""FHIRPath, the part constraints use, compiled to closures (http://hl7.org/fhirpath/N1 and FHIR R4, fhirpath.html).

Owns parsing, typed navigation of resources as parsed JSON, and the functions. Nothing is fetched: what lies in another
resource or in a terminology is unknown here, and an expression that needs it says so by raising `Unknown`.
"""
