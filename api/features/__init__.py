"""People's rows: built, refreshed, and what of them may be used now."""
