"""Benchmarks: `make bench`. They report figures with the machine and its noise; nothing here passes or fails."""
