"""Profiles: merging, checks, packages."""
