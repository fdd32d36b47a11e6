"""The least chance of an item group in an adaptive round, and the most rounds in which it leaves a choice."""

FLOOR = 0.1
MOST_ADAPTIVE_ROUNDS = 9  # a tenth of the item groups a round would be the floor itself
