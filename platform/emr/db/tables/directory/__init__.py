"""The directory: which hospitals there are, who belongs to them, and what the department did. One in the city."""

from emr.db.tables.directory.apps import app_assertions, app_grants, app_launches, app_tokens, apps
from emr.db.tables.directory.columns import metadata
from emr.db.tables.directory.department import announcements, cell_state, operators, proposals, traffic, usage
from emr.db.tables.directory.fleet import fleet_requests, golive_items
from emr.db.tables.directory.hospitals import border_checks, keys, moves, support_grants, tenant_events, tenants
from emr.db.tables.directory.people import access_review_lines, access_reviews, accounts, machine_clients, memberships
from emr.db.tables.directory.recovery import backups, rehearsals, rewinds
from emr.db.tables.directory.sessions import pins, sessions
from emr.db.tables.directory.trail import audit_archives, audit_events, audit_journal, audit_seals, trail_keys

__all__ = [
    "access_review_lines",
    "access_reviews",
    "accounts",
    "announcements",
    "app_assertions",
    "app_grants",
    "app_launches",
    "app_tokens",
    "apps",
    "audit_archives",
    "audit_events",
    "audit_journal",
    "audit_seals",
    "backups",
    "border_checks",
    "cell_state",
    "fleet_requests",
    "golive_items",
    "keys",
    "machine_clients",
    "memberships",
    "metadata",
    "moves",
    "operators",
    "pins",
    "proposals",
    "rehearsals",
    "rewinds",
    "sessions",
    "support_grants",
    "tenant_events",
    "tenants",
    "traffic",
    "trail_keys",
    "usage",
]
