"""The names of the ways to write a persona, without the code that writes: the command line's help needs them alone."""

from typing import Literal

Format = Literal[
    "none", "prose-paper", "prose", "bullets", "json", "oneliner", "neutral", "interview", "memory", "name"
]
Frame = Literal["role", "user", "third-person"]
Placement = Literal["prompt", "system"]
