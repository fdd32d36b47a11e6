"""The pages, one a module: each turns what was read into components."""
