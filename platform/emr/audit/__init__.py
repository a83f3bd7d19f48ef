"""Who did what, when and to whose record: rows committed before the answer, later sealed into an unbroken chain.

Owns the form of an audit row, the trail that one unit of work leaves, the writer that commits rows of all hospitals in
groups, and the sealing of the journal. Does not decide who may do what.
"""
