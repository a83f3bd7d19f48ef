"""Whole records in and out as NDJSON: Bulk Data Access 2.0 `$export` and an `$import` that takes its files back.

Owns the table `bulk_jobs`, the files that jobs write and read (sealed like all objects of the hospital), and the pieces
in which a worker does them. Knows no HTTP; `emr.fhir.bulk` speaks it. Pictures in DICOM are no resources and do not
travel here.

A job is done in pieces, each one transaction that stores what the piece made together with how far it came. So a
worker may die anywhere: the next one goes on after the last piece that was committed, and no line comes twice. Exit
packages are jobs here too (`exits`); what is in one is `emr.fleet.leaving`'s.
"""
