"""A packed prefix tree for a processor: runs of tokens, attended one after another, nothing padded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

from runner.serve.prefix_tree import Node, PrefixTree

LONGEST = 128  # tokens of a run: their scores stay in the processor's cache
TOGETHER = 64  # tokens up to which neighbouring leaves are one run: a call costs as much as the cells that this adds


@dataclass
class Run:
    """Tokens that lie side by side in the packed sequence, behind the `depth` tokens of their parents.

    `seen` has their places in their rows, `origins` the number of the node that each is from.
    """

    start: int
    depth: int
    seen: torch.Tensor
    origins: torch.Tensor
    masks: dict[int | None, torch.Tensor] = field(default_factory=dict)

    def mask(self, window: int | None, times: int, dtype: torch.dtype) -> torch.Tensor:
        """What is added to the scores of the last keys; of shape (times · tokens, tokens), with a window (…, all keys).

        Made once for all layers.
        """
        if window not in self.masks:
            hidden = (self.seen[:, None] < self.seen) | (self.origins[:, None] != self.origins)
            if window:
                before = self.seen[:, None] - torch.arange(self.depth) >= window
                hidden = torch.cat([before, hidden | (self.seen[:, None] - self.seen >= window)], dim=1)
            added = torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, -torch.inf)
            self.masks[window] = added.repeat(times, 1)
        return self.masks[window]


class TreeRuns:
    """The runs of a tree, parents before children."""

    def __init__(self, tree: PrefixTree) -> None:
        self._runs = [run for nodes in _neighbours(tree) for run in _runs(nodes)]
        self._deepest = max(run.depth + len(run.seen) for run in self._runs)

    def attend(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        scaling: float,
        window: int | None,
        softcap: float | None,
    ) -> torch.Tensor:
        """As in `TreeLayout`.

        What a run's parents hold stands in a buffer up to its depth, since the runs before it were its parents' or
        behind its parents. The heads of a query that share a key are stacked: these need no copies.
        """
        heads, times = key.shape[0], query.shape[0] // key.shape[0]
        keys = key.new_empty(heads, self._deepest, key.shape[-1])
        values = value.new_empty(heads, self._deepest, value.shape[-1])
        result = value.new_empty(query.shape[1], query.shape[0], value.shape[-1])
        for run in self._runs:
            length = len(run.seen)
            own, end = slice(run.start, run.start + length), run.depth + length
            keys[:, run.depth : end] = key[:, own] * scaling
            values[:, run.depth : end] = value[:, own]
            stacked = query[:, own].reshape(heads, times * length, -1)
            scores = torch.bmm(stacked, keys[:, :end].transpose(1, 2))
            if softcap is not None:
                scores = softcap * torch.tanh(scores / softcap)
            mask = run.mask(window, times, scores.dtype)
            scores[..., end - mask.shape[-1] :] += mask
            attended = torch.bmm(torch.softmax(scores, dim=-1), values[:, :end])
            result[own] = attended.view(query.shape[0], length, -1).transpose(0, 1)
        return result


def _neighbours(tree: PrefixTree) -> Iterator[list[Node]]:
    """The nodes in their order; small leaves of one parent that lie side by side come together."""
    inner = {node.parent for node in tree.nodes}
    found: list[Node] = []
    for number, node in enumerate(tree.nodes):
        joins = found and number not in inner and node.parent == found[0].parent
        if not joins or node.start + node.length - found[0].start > TOGETHER:
            if found:
                yield found
            found = []
        found.append(node)
    yield found


def _runs(nodes: Sequence[Node]) -> Iterator[Run]:
    """One run, or a chain of runs where it is long."""
    seen = torch.cat([torch.arange(node.depth, node.depth + node.length) for node in nodes])
    origins = torch.repeat_interleave(torch.tensor([node.length for node in nodes]))
    for begin in range(0, len(seen), LONGEST):
        part = slice(begin, begin + LONGEST)
        yield Run(nodes[0].start + begin, nodes[0].depth + begin, seen[part], origins[part])
