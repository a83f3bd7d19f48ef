"""The rehearsal of a thousand hospitals: what an operator does to a fleet, by the operator's commands, timed.

`city` stands it up, `acts` are the steps in their order, `probes` asks every hospital for its neighbour's. Nothing here
does what a command of the platform does.
"""
