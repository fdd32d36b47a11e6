"""What comes back beside the answer itself: how it ended, what it used, or why there is none."""
