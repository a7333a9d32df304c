"""Background work of a running server."""
