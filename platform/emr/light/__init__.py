"""The border light: the signed results of what was tried at a hospital's doors, and the page that a director reads.

Owns the results and when a hospital is tried again. How it is tried is `border`'s, which knows the whole application.
"""
