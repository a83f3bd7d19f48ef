"""Hospitals for training: filled with made-up patients, and brought back to the beginning when somebody asks for it.

Owns the patients (`patients.ndjson.gz`, written by `ops/sandbox`) and the reset. That such a hospital's pages say so is
web's, that nothing of it goes to the city is warehouse's.
"""
