"""One hospital as it was at any second that the backups reach: opened beside the live record, compared, brought back.

Owns the restoring of a cell into a PostgreSQL server of its own for a while, the side schema that one hospital's past
is loaded into, the rows of `directory.rewinds` and `directory.rehearsals`, and what is brought back from there. What is
brought back goes through the record's ordinary verbs; nothing here writes into a live hospital's tables by itself.
Looking into an open past over the web is `web`'s: a past is a hospital whose tables lie elsewhere.
"""
