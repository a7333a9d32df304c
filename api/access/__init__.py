"""Access: our own tokens and those of another issuer, and how often each may call."""
