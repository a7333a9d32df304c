"""Import: files and queries of any columns into the ledger, by a map from columns to events."""
