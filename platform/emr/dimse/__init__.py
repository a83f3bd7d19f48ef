"""DICOM over its own protocol (PS3.7, PS3.8): C-ECHO and C-STORE for all hospitals on one port.

Owns who is let in (the called AE title picks the hospital, its file lists the devices), receiving to disk, and the
process `emr dicom`. What is kept and why it may be refused is decided by the use cases of `emr.imaging`.
"""
