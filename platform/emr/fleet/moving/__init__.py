"""A hospital from one cell to another while it works: copied, caught up, checked, flipped.

Owns the rows of `directory.moves`, the fence around a hospital's old tables, and the copying of tables between two
databases. Not: where cells are (`emr.db.cells`), making a hospital (`emr.fleet.onboarding`), what the service does for
a hospital that moves (`Tenant.moving`). Objects stay where they are: all cells share one object store.
"""
