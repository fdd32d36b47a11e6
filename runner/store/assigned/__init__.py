"""What was drawn for each persona: which item groups it is asked, and which texts it is told in."""
