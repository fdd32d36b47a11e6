"""From numbers to estimates."""
