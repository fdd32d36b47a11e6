"""What drives Δ, how robust it is, and its tail."""
