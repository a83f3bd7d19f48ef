"""DICOMweb (PS3.18): STOW-RS, QIDO-RS and WADO-RS under `/h/{slug}/dicomweb`.

Owns how requests and answers look on the wire: multipart bodies, the DICOM JSON model, `Accept`, matching parameters.
What is stored, found and shown is decided by the use cases of `emr.imaging`.
"""
