"""Questions of merchants, answered and kept."""
