"""The verbs of imaging, one a file."""
