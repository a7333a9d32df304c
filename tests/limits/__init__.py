"""Times that have a limit, each measured by itself: `python -m tests.limits.activity`, `.authoring`, `.operator_pages`."""
