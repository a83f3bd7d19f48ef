"""Support grants: the verbs and their page. The rows are identity's; the privacy officer's part is `emr.privacy`."""
