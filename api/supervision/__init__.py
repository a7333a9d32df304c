"""Supervision: verify, prove, replay and report decisions."""
