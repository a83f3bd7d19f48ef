"""Which hospitals there are: their files, their rows in the directory, and the registry that each process keeps.

Does not make schemas, keys or organizations (that is the fleet's) and knows nothing of who may enter.
"""
