"""Render: pictures of a person's ego network, and output for terminals."""
