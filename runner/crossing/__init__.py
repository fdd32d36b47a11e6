"""What a study crosses: its rows in the file, its trials, and their requests; nothing here sends them."""
