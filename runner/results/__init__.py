"""What a study found, from its database: the report's tables, and the coherence of the personas."""
