"""The three families of tables: the directory once, a cell in each cluster, a hospital many times."""
