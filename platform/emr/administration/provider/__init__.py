"""A hospital's own identity provider: looked at before it is trusted, then given to Keycloak, which is identity's."""
