"""What a study would send, cost and resolve, before it does."""
