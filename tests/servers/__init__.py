"""The real servers that tests run against: one module for each, started on loopback and stopped by process id."""
