"""A slow, obvious evaluator of FHIR searches, and what holds the record against it.

It is written from the specification (FHIR R4, search.html) and from `platform/docs/search.md`, not from the engine: it
looks at resources one by one, follows the expressions of the parameters as published, and knows neither tables nor
keys. Whatever the two say differently is a mistake of one of them.

    python -m tests.conformance.reference --minutes 60 --seed 7

It owns no facts about the record but those that the pages above tell.
"""
