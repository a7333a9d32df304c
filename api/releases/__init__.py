"""Releases: read, check, probe and store rule files."""
