"""Designs: who is asked how much, when a run may stop, and what a study can find."""
