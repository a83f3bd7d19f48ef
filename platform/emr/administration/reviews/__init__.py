"""Access reviews every six months: the verbs and their pages. The rows are identity's."""
