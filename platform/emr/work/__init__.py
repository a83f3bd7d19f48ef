"""One use case, one transaction.

Owns the unit of work (a hospital, a principal, a transaction as that hospital, its objects, its audit trail), the
`use_case` decorator that every verb wears, the outbox, and the worker's loop. Nobody else begins or commits.
"""
