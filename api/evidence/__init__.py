"""The ledger of events, and every way into it."""
