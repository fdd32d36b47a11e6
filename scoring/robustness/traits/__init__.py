"""Which trait drives Δ: traits told at random, and controls for those that are swapped."""
