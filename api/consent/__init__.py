"""What people consent to: asked, given, withdrawn."""
