"""How commands print: streams, tables and help."""
