"""The person's own view and actions: score, evidence, inquiries, disputes, reviews, erasure."""
