"""A packed prefix tree for a processor: runs of tokens, attended one after another on each core, nothing padded."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, groupby
from threading import Barrier
from typing import NamedTuple

import torch

from runner.serve.prefix_tree import PrefixTree

LONGEST = 128  # tokens of a run: their scores stay in the processor's cache
TOGETHER = 64  # tokens up to which neighbouring leaves are one run: a call costs as much as the cells that this adds


class Attention(NamedTuple):
    """What a layer attends: `query` (heads, tokens, size), the others with as many heads or fewer.

    Of a `window`, tokens see no further back; scores are capped (Gemma 2's are: cap · tanh(score / cap)), then masked.
    """

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    scaling: float
    window: int | None
    softcap: float | None


@dataclass
class Run:
    """Tokens that lie side by side in the packed sequence, behind the `depth` tokens of their parents.

    `node` is the first that they are from, `seen` has their places in their rows, `origins` tells their nodes apart.
    """

    node: int
    start: int
    depth: int
    seen: torch.Tensor
    origins: torch.Tensor
    masks: dict[int | None, torch.Tensor] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """How many tokens its last one sees, at most."""
        return self.depth + len(self.seen)

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
    """The runs of a tree, parents before children, shared out among the cores.

    Small products gain nothing from several cores each, which have to wait for one another; several of them at once do.
    """

    def __init__(self, tree: PrefixTree) -> None:
        runs = [run for numbers in _neighbours(tree) for run in _runs(tree, numbers)]
        cells = list(accumulate(len(run.seen) * run.end for run in runs))
        cores = torch.get_num_threads()
        owners = (cores * (each - 1) // cells[-1] for each in cells)
        shares = groupby(zip(owners, runs, strict=True), key=lambda pair: pair[0])
        self._shares = [_Share.of(tree, [run for _, run in share]) for _, share in shares]
        self._cores = cores

    def attend(self, asked: Attention) -> torch.Tensor:
        """As in `TreeLayout`."""
        heads, tokens = asked.query.shape[:2]
        result = asked.value.new_empty(tokens, heads, asked.value.shape[-1])
        if len(self._shares) == 1:
            self._shares[0].attend(asked, result)
        else:
            for done in [_pool(self._cores).submit(share.attend, asked, result) for share in self._shares]:
                done.result()
        return result


@dataclass
class _Share:
    """Runs that one core attends; `before` has the places of the tokens that stand before the first of them."""

    before: torch.Tensor
    runs: Sequence[Run]

    @classmethod
    def of(cls, tree: PrefixTree, runs: Sequence[Run]) -> "_Share":
        """The share of these runs, which lie side by side."""
        places = [place for number in tree.lineage(runs[0].node) for place in tree.nodes[number].places]
        return cls(torch.tensor(places[: runs[0].depth], dtype=torch.long), runs)

    @torch.inference_mode()
    def attend(self, asked: Attention, result: torch.Tensor) -> None:
        """Fill the runs' places of a result (tokens, heads, size).

        What a run's parents hold stands in a buffer up to its depth, since the runs before it were its parents' or
        behind its parents. The heads of a query that share a key are stacked: these need no copies.
        """
        query, key, value, scaling, window, softcap = asked
        heads, times = key.shape[0], query.shape[0] // key.shape[0]
        deepest = max(run.end for run in self.runs)
        keys, values = (each.new_empty(heads, deepest, each.shape[-1]) for each in (key, value))
        first = len(self.before)
        keys[:, :first], values[:, :first] = key[:, self.before] * scaling, value[:, self.before]
        for run in self.runs:
            own, behind, seen = slice(run.start, run.start + len(run.seen)), slice(run.depth, run.end), slice(run.end)
            keys[:, behind], values[:, behind] = key[:, own] * scaling, value[:, own]
            stacked = query[:, own].reshape(heads, times * len(run.seen), -1)
            scores = torch.bmm(stacked, keys[:, seen].transpose(1, 2))
            if softcap is not None:
                scores = softcap * torch.tanh(scores / softcap)
            mask = run.mask(window, times, scores.dtype)
            scores[..., run.end - mask.shape[-1] :] += mask
            attended = torch.bmm(torch.softmax(scores, dim=-1), values[:, seen])
            result[own] = attended.view(query.shape[0], len(run.seen), -1).transpose(0, 1)


@cache
def _pool(cores: int) -> ThreadPoolExecutor:
    """Threads of one core each."""
    before, started = torch.get_num_threads(), Barrier(cores + 1)

    def on_one_core() -> None:
        torch.get_num_threads()  # at its first use a thread takes the process's number: not after ours
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(cores, thread_name_prefix="mtpa-attention", initializer=on_one_core)
    for _ in range(cores):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(before)  # the process's number again, which every thread that starts from now on takes
    return pool


def _neighbours(tree: PrefixTree) -> Iterator[list[int]]:
    """The numbers of the nodes in their order; small leaves of one parent that lie side by side come together."""
    inner = {node.parent for node in tree.nodes}
    found: list[int] = []
    for number, node in enumerate(tree.nodes):
        joins = found and number not in inner and node.parent == tree.nodes[found[0]].parent
        if not joins or node.start + node.length - tree.nodes[found[0]].start > TOGETHER:
            if found:
                yield found
            found = []
        found.append(number)
    yield found


def _runs(tree: PrefixTree, numbers: Sequence[int]) -> Iterator[Run]:
    """One run of these nodes, or a chain of runs where it is long."""
    nodes = [tree.nodes[number] for number in numbers]
    seen = torch.cat([torch.arange(node.depth, node.depth + node.length) for node in nodes])
    origins = torch.repeat_interleave(torch.tensor([node.length for node in nodes]))
    for begin in range(0, len(seen), LONGEST):
        part = slice(begin, begin + LONGEST)
        yield Run(numbers[0], nodes[0].start + begin, nodes[0].depth + begin, seen[part], origins[part])
