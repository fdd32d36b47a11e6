"""Study files that are written, and what is written about them: the keys' reference and their schema."""
