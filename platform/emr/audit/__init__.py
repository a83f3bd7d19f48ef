"""Who did what, when and to whose record: rows committed before the answer, later sealed into an unbroken chain.

Owns the form of an audit row, the trail that one unit of work leaves, the writer that commits rows of all hospitals in
groups, the sealing of the journal, the anchors of the seals, and the proof that nothing was changed. Does not decide
who may do what.
"""
