"""SMART App Launch 2.2: the authorization server of a hospital's apps.

Owns registering apps, discovery, the pages on which a person allows an app something, launches from a chart, the token
endpoint with introspection and revocation, and what browsers of other origins may do. The rows are `identity`'s, which
also judges a token at each request; what scopes leave of a role is `access`'s; people sign in at the hospital's
identity provider as ever. See `platform/docs/smart.md`.
"""
