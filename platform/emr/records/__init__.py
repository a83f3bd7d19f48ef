"""The record: every resource with all its versions, found by search, changed in transactions.

Owns the tables `resources`, `resource_versions` and the search index of a hospital, and the rules of FHIR R4 about
versions, conditions, references and transactions. Knows no HTTP and no page; features write through its verbs.
"""
