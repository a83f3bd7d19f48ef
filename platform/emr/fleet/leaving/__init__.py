"""Leaving on any day: a hospital's exit package, its loading elsewhere, and the end of what stays behind.

Owns the package's format (`platform/docs/exit-package.md`) with its writer, its reader page and its checks. What a
record, a trail or an object is, it asks the rooms that own them; whether a hospital may leave is decided by people.
"""
