"""Orders from decisions, and the messages to merchants about them."""
