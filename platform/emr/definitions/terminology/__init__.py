"""What code systems, value sets and concept maps say: those that come with FHIR R4, and any that are sent or stored.

Owns reading the published ones, asking a code system, composing a value set, and required bindings. Where a hospital's
own definitions lie, and the operations over them, is `records/terminology`.
"""
