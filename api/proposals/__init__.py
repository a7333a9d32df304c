"""Proposals: changes of rules that two people make."""
