"""What comes back beside the answer itself: how it ended, what it used, why there is none, and when to ask again."""
