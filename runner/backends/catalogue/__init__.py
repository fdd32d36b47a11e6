"""What models take and cost."""
