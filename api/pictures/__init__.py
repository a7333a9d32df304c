"""Pictures of a person's circle."""
