"""The running sessions of a hospital's people, seen and ended by its administrator. The rows are identity's."""
