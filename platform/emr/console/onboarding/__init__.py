"""A new hospital from a form: checked by the rules of a file, written down as a request, done by the owner's command.

Owns the wizard's pages, its JSON and its verbs at `/ops/onboarding`. The rules are tenancy's and fleet's, what comes of
a request is fleet's.
"""
