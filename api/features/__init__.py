"""Rows of people's features and scores: build them, refresh them, and serve the part that consent allows now."""
