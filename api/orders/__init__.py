"""Orders made of decisions, and what merchants are told of them."""
