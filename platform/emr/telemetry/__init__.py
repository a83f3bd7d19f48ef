"""What operators see: structured logs, metrics, traces and health.

Owns the ways out of the process for everything that describes the platform itself, and the fence in front of them:
log keys and span attributes are on allow-lists, addresses are route templates, third parties' texts are withheld, and
no tracer provider is global, so that no library can add spans of its own (FastAPI's would carry `url.path` and
`url.query`). Does not own the audit trail, which does name patients.
"""
