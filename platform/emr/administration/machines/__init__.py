"""Machine clients of a hospital: connected, given new secrets, removed. The rows and Keycloak are identity's."""
