"""The demo: a small identity provider, made-up patients and a supervisor. Never part of the image."""
