"""The hospitals as a whole: plan and apply their files, make what each needs, bring every schema to its revision.

Runs as the owner of the tables, from a command and never inside the service; but for `transitions`, which says what
a step from one state to the next is, wherever it is made.
"""
