"""Who comes in: tokens of our own and of other issuers, and how often."""
