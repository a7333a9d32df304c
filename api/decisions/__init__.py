"""Answer merchants' eligibility questions, and record each decision in a hash chain."""
