"""A hospital's own administration at `/h/{slug}/admin`: members, leavers, sessions, reviews, machines, own provider.

Owns the pages and the verbs under `member:manage`, and the order of steps between our rows and the identity provider.
It does not own the rows (identity), what a role may do (access), or how Keycloak is asked (identity).
"""
