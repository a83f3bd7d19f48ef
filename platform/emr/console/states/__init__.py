"""Bringing a hospital into another state: at once where it can be taken back, by two people where it stops work."""
