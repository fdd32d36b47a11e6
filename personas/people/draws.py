"""The words for how a sample is drawn, apart from the code that draws it, so that a study is read without pandas."""

from typing import Literal

Allocation = Literal["proportional", "equal"]
Weights = Literal["none", "survey"]
RULE = 2  # of new studies; a study that has a run keeps the rule of its file
