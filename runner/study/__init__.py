"""What is to be done: the study file, its sources and the pinned data it names."""
