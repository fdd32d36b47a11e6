"""Numbers known of a few, made surer by cheaper numbers told of many."""
