"""What is asked: the cross product of a study, its rows and its trials."""
