"""The prefix tree of a batch: which tokens are computed once, and for which rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WORTH = 16  # tokens saved, from which on a prefix is a node of its own


@dataclass(frozen=True, slots=True)
class Node:
    """A run of tokens that its rows have in common, behind what its ancestors hold.

    `start` is where it lies in the packed sequence, `depth` how many tokens stand before it in its rows.
    """

    parent: int | None
    start: int
    depth: int
    length: int

    @property
    def places(self) -> range:
        """Where its tokens lie in the packed sequence."""
        return range(self.start, self.start + self.length)


@dataclass(frozen=True, slots=True)
class PrefixTree:
    """The distinct tokens of a batch in one sequence, parents before children; `leaves` has each row's last node."""

    tokens: list[int]
    nodes: list[Node]
    leaves: list[int]

    def lineage(self, node: int) -> list[int]:
        """The nodes from the root to this one."""
        found, place = [], node
        while True:
            found.append(place)
            parent = self.nodes[place].parent
            if parent is None:
                return found[::-1]
            place = parent

    def packed(self, row: int, place: int) -> int:
        """Where the token at `place` of a row lies in the packed sequence."""
        node = self.nodes[self.leaves[row]]
        while place < node.depth:
            assert node.parent is not None
            node = self.nodes[node.parent]
        return node.start + place - node.depth


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first tokens two rows share (bisection: slices compare much faster than a loop)."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def plan(rows: Sequence[list[int]]) -> PrefixTree:
    """The tree of rows that are sorted; every row has a token at least. Equal rows share their leaf."""
    shared = [0, *(common(one, other) for one, other in pairwise(rows))]
    tokens: list[int] = []
    nodes: list[Node] = []
    leaves = [-1] * len(rows)

    def add(parent: int | None, depth: int, run: list[int]) -> int:
        nodes.append(Node(parent, len(tokens), depth, len(run)))
        tokens.extend(run)
        return len(nodes) - 1

    # (first row, behind the last, parent, tokens that parents hold); a stack, since rows may nest deeper than Python
    waiting: list[tuple[int, int, int | None, int]] = [(0, len(rows), None, 0)] if rows else []
    while waiting:
        first, last, parent, depth = waiting.pop()
        row = rows[first]
        length = min((len(row), *shared[first + 1 : last]))
        whole = rows[last - 1] == row
        if whole or (length - depth) * (last - first - 1) >= WORTH:
            if length > depth or parent is None:
                parent, depth = add(parent, depth, row[depth:length]), length
            if whole:
                leaves[first:last] = [parent] * (last - first)
                continue
        cuts = [first, *(place for place in range(first + 1, last) if shared[place] == length), last]
        waiting.extend((*pair, parent, depth) for pair in reversed(list(pairwise(cuts))))
    return PrefixTree(tokens, nodes, leaves)
