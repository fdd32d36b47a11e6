"""Files of personas: Parquet, and the two JSON layouts of the paper."""
