"""The encounter as clinicians write it: vital signs, notes, problems, allergies.

Owns the forms, their plausible ranges, the FHIR shapes that they become, and the small list of diagnoses to pick from.
Does not own the chart that shows them, prescriptions, orders or signing.
"""
