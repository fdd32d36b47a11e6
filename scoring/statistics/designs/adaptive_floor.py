"""The least chance of an item group in an adaptive round, the most rounds in which it leaves a choice, and a prior."""

FLOOR = 0.1
MOST_ADAPTIVE_ROUNDS = 9  # a tenth of the item groups a round would be the floor itself
PRIOR_GROUP = 2.0  # how many answers the variance of all item groups counts among those to one
