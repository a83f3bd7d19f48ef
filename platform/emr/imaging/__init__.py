"""Imaging: what a hospital's devices send, kept as it came, indexed, and shown.

Owns reading and checking DICOM files, the image index (`dicom_series`, `dicom_instances`), the ImagingStudy that each
study has in the record, rendering of frames, and the pages that show them. It does not own the ways in: DICOM over its
own protocol is `emr.dimse`, over HTTP it is `emr.dicomweb`; both call the use cases of `service`.
"""
