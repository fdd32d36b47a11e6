"""The live page: what a run does and has done, in a browser on this machine."""
