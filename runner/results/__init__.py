"""What a study found, from its file alone."""
