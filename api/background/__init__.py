"""What a server does beside answering."""
