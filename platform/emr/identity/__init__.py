"""Who is asking: sign-in with an OpenID provider, sessions, bearer tokens and memberships.

Owns the OpenID client (code flow with PKCE, refresh, step-up, sign-out, back-channel logout), the rows of
`directory.sessions`, `directory.pins` and `directory.memberships`, the lock of a session, and the answer to "which
person or machine, in which hospital, and how surely".
It does not know what a role may do (that is `access`), which hospitals exist (`tenancy`), or how a page looks (`web`);
nothing in it knows which provider it talks to.
"""
