"""What the live page reads from the file."""
