"""Broken glass: emergency access to one patient whom one does not see, and its review.

Owns finding somebody for it, breaking the glass (a grant of at most an hour, with a reason), and the queue of reviews
that the privacy officer works off. Does not decide what is hidden: that is the policy in `db.seen`, which lets a grant
through while it stands.
"""
