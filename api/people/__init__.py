"""The person's side: what is kept and thought of them, disputes, reviews, leaving."""
