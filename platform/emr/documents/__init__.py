"""Scans, letters and other papers of a patient.

Owns taking a file in (what it is, whether it is whole, how large), its DocumentReference and Binary in the record,
giving the bytes back, and showing its pages as pictures. Does not own the object store, the record or the layout of
pages, and does not read what a paper says.
"""
