"""A small OpenID provider for the demo, so that `make demo` signs people in without Java.

It owns made-up accounts (one for each role in each hospital), its signing key and its sign-ins, all in the demo's data
folder, and speaks the same protocol as the Keycloak of a real installation: code flow with PKCE, refresh rotation,
client credentials, sign-out with back-channel calls, the `organization` claim. It has no passwords and therefore
listens on loopback only and cannot be made under `EMR_PROFILE=production`. The platform never imports it.
"""
