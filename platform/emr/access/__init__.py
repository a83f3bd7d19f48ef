"""Who may do what: roles, their permissions, and which resource types each may see and change.

Owns the one page of code that says so, and what the SMART scopes of a token leave of it. Does not know who is asking
(identity) or what was done (audit).
"""
