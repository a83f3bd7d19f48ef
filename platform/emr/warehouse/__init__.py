"""What leaves for the city: every version of every resource, to an append-only Delta Lake table, each exactly once.

Owns the relay from the outbox, its batches and receipts, the table, the comparison of both, and the worker process
that does this beside the platform's other unattended work. Does not own the outbox's rows (`emr.records` writes them)
or what a reader makes of the table.
"""
