"""What leaves for the city: every version of every resource, to an append-only Delta Lake table, each exactly once.

Owns the relay from the outbox, its batches and receipts, the table, and the comparison of both. Does not own the
outbox's rows (`emr.records` writes them), what a reader makes of the table, or the worker in which it runs
(`emr.worker`).
"""
