"""The demo: parties with names, and three months of simulated activity for a fresh database of demo data."""
