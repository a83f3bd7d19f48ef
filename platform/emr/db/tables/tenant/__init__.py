"""A hospital: its record with all versions, the search index beside it, its audit trail, its objects and images.

Tables carry no schema: the same family stands once in each hospital's schema. At most 24 tables, since a backend
keeps about 44 KB for each one that it has touched.
"""

from emr.db.tables.tenant.columns import Xid8, metadata
from emr.db.tables.tenant.contents import blobs, dicom_instances, dicom_series
from emr.db.tables.tenant.index import (
    compartments,
    composites,
    dates,
    identifiers,
    indexing,
    links,
    quantities,
    strings,
    tokens,
    words,
)
from emr.db.tables.tenant.record import resource_versions, resources
from emr.db.tables.tenant.trail import audit_archives, audit_events, audit_seals
from emr.db.tables.tenant.work import bulk_jobs, grants, idempotency_keys, retention_holds

__all__ = [
    "IMMUTABLE",
    "Xid8",
    "audit_archives",
    "audit_events",
    "audit_seals",
    "blobs",
    "bulk_jobs",
    "compartments",
    "composites",
    "dates",
    "dicom_instances",
    "dicom_series",
    "grants",
    "idempotency_keys",
    "identifiers",
    "indexing",
    "links",
    "metadata",
    "quantities",
    "resource_versions",
    "resources",
    "retention_holds",
    "strings",
    "tokens",
    "words",
]

IMMUTABLE = frozenset({"resource_versions", "audit_events", "audit_seals", "audit_archives"})
"""Tables where a hospital's role may add and read, and nothing else."""
