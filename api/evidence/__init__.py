"""The ledger of events, and every road into it."""
