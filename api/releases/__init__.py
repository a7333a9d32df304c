"""Rule files as they come into force."""
