"""The chain of decisions walked, proved, replayed and reported."""
