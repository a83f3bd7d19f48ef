"""PostgreSQL: pools, transactions that belong to one role, table families and their three migration histories.

Knows how to become a hospital; does not know what a hospital, a record or a user is.
"""
