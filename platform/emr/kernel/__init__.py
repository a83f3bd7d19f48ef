"""The words everything else is written in: refusals, ids, the clock, page cursors, a hospital as a value.

Owns no data and reaches nothing outside the process.
"""
