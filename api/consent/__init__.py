"""Consent: requested by merchants, granted and withdrawn by people."""
