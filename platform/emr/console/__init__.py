"""The department's console at `/ops/`: every hospital at a glance, one hospital with its history, what is done to them.

Owns what an operator sees of the fleet and the JSON API of the same. It reads the directory, and of each cell how far
the outbox and the journal of audit rows are behind, as platform roles that read no hospital; so it shows no patient.
Does not onboard, migrate or restore hospitals (fleet), and decides nothing within one.
"""
