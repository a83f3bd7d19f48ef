"""Subscriptions: other systems ask to be told when something in the record changes, and are told.

Owns what a FHIR R4 Subscription may say here (plain criteria, and topics in the manner of the Subscriptions R5
Backport guide, https://hl7.org/fhir/uv/subscriptions-backport/STU1.1), the tables `subscribers notices events` of a
cell, and the way of a notification: matched, numbered, sent, settled. Owns neither the write that starts it
(`records.store` puts the pointers) nor the HTTP of its operations (`fhir.subscriptions`).
"""
