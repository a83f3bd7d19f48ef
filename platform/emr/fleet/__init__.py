"""The hospitals as a whole: plan and apply their files, make what each needs, bring every schema to its revision.

Runs as the owner of the tables, from a command and never inside the service.
"""
