"""Access: our own tokens, those of another issuer, and their rate limits."""
