"""Backups of the cells by pgBackRest: making them, counting them, reading what the repository holds.

Owns how pgBackRest is called and the rows of `directory.backups`. It does not know what a hospital is: bringing one
hospital back is `fleet.rewind`. Keys that wrap hospitals' data keys are never where pgBackRest could take them along:
they are in no database and in no file below a data directory.
"""
