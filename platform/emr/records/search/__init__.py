"""Search (FHIR R4, search.html): understand the question, plan it, ask it, page it.

What is not understood is refused, never ignored.
"""
