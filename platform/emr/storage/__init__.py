"""Objects: scans, images and whatever else is too big for a row.

Owns the object port and its two adapters (S3, and a folder for the demo), the sealed format in which bytes lie there,
the wrapping of the hospitals' data keys, and the rows of a hospital's `blobs` table.
It does not know what an object means, who may read it or what a patient is: features ask `BlobStore` inside a unit of
work that has already answered those questions.
"""
