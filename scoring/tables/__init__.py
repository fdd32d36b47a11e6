"""From estimates to the tables of a report."""
