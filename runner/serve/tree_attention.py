"""Attention over a packed prefix tree: each token sees its row's tokens up to itself, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import AttentionInterface

from runner.serve.prefix_tree import PrefixTree
from runner.serve.tree_runs import Attention, TreeRuns

NAME = "mtpa_tree"
WASTE = 1.3  # padded cells of a score matrix, over those needed, that a group may have
SMALL = 20_000  # cells that cost less than one more call
FAR = 1 << 30


class TreeLayout(Protocol):
    """How the tokens of a packed tree are attended."""

    def attend(self, asked: Attention) -> torch.Tensor:
        """Softmax attention, of shape (tokens, heads, size)."""
        ...


def laid_out(tree: PrefixTree, device: torch.device) -> TreeLayout:
    """The layout that is fastest there: few large calls on an accelerator, no padding on a processor."""
    return TreeRuns(tree) if device.type == "cpu" else TreeGroups(tree, device)


@dataclass
class Group:
    """Nodes that are attended in one call, padded to the longest.

    `query` (nodes, longest) and `key` (nodes, furthest) are places in the packed sequence, `seen` and `reach` the
    tokens' places in their rows. A padded query repeats its node's last token; a padded key lies too far to be seen.
    """

    query: torch.Tensor
    key: torch.Tensor
    seen: torch.Tensor
    reach: torch.Tensor
    masks: dict[int | None, torch.Tensor]

    def mask(self, window: int | None, heads: int, dtype: torch.dtype) -> torch.Tensor:
        """What is added to the scores, of shape (nodes, 1, heads · longest, furthest); made once for all layers."""
        if window not in self.masks:
            apart = self.seen[:, :, None] - self.reach[:, None, :]
            hidden = (apart < 0) | (apart >= window) if window else apart < 0
            added = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, -torch.inf)
            self.masks[window] = added.repeat(1, heads, 1)[:, None]
        return self.masks[window]


class TreeGroups:
    """The nodes of a tree in groups of like size, on a device."""

    def __init__(self, tree: PrefixTree, device: torch.device) -> None:
        self._groups = _grouped(tree, device)

    def attend(self, asked: Attention) -> torch.Tensor:
        """As in `TreeLayout`; the heads of a query that share a key are stacked: keys and values need no copies."""
        queries, keys, values = (each.transpose(0, 1) for each in (asked.query, asked.key, asked.value))
        result = queries.new_empty(*queries.shape[:2], values.shape[-1])
        heads, times = keys.shape[1], queries.shape[1] // keys.shape[1]
        for group in self._groups:
            nodes, longest = group.query.shape
            own, known = (each.to(queries.device) for each in (group.query, group.key))  # a model may lie on several
            stacked = queries[own].view(nodes, longest, heads, times, -1).permute(0, 2, 3, 1, 4).flatten(2, 3)
            seen = keys[known].transpose(1, 2), values[known].transpose(1, 2)
            mask = group.mask(asked.window, times, queries.dtype).to(queries.device)
            attended = _attend(stacked, *seen, mask, asked.scaling, asked.softcap)
            result[own] = attended.view(nodes, heads, times, longest, -1).permute(0, 3, 1, 2, 4).flatten(2, 3)
        return result


def _grouped(tree: PrefixTree, device: torch.device) -> list[Group]:
    sizes = [(node.length, node.depth + node.length) for node in tree.nodes]
    found: list[list[int]] = []
    area = longest = furthest = 0
    for number in sorted(range(len(sizes)), key=lambda number: sizes[number]):
        length, reach = sizes[number]
        longest, furthest, area = max(longest, length), max(furthest, reach), area + length * reach
        if not found or (len(found[-1]) + 1) * longest * furthest > WASTE * area + SMALL:
            found.append([])
            longest, furthest, area = length, reach, length * reach
        found[-1].append(number)
    return [_group(tree, members, device) for members in found]


def _group(tree: PrefixTree, members: Sequence[int], device: torch.device) -> Group:
    keys = [[place for part in tree.lineage(number) for place in tree.nodes[part].places] for number in members]
    longest = max(tree.nodes[number].length for number in members)
    furthest = max(len(each) for each in keys)
    columns: tuple[list[list[int]], ...] = ([], [], [], [])
    query, key, seen, reach = columns
    for number, places in zip(members, keys, strict=True):
        own = tree.nodes[number].length
        rows = [*range(len(places) - own, len(places)), *[len(places) - 1] * (longest - own)]
        seen.append(rows)
        query.append([places[row] for row in rows])
        key.append(places + [0] * (furthest - len(places)))
        reach.append([*range(len(places)), *[FAR] * (furthest - len(places))])
    query_, key_, seen_, reach_ = (torch.tensor(column, device=device) for column in columns)
    return Group(query_, key_, seen_, reach_, {})


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor,
    scaling: float,
    softcap: float | None,
) -> torch.Tensor:
    """Softmax attention; torch's own where the scores are not capped."""
    if softcap is None:
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
    scores = query @ key.transpose(2, 3) * scaling
    scores = softcap * torch.tanh(scores / softcap) + mask
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype) @ value


def tree_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    *,
    tree: TreeLayout,
    **other: Any,
) -> tuple[torch.Tensor, None]:
    """Transformers' attention interface for one packed sequence.

    `query` is (1, heads, tokens, size), `key` and `value` have as many heads or fewer; returns (1, tokens, heads,
    size).
    """
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return tree.attend(Attention(query[0], key[0], value[0], scale, sliding_window, softcap))[None], None


AttentionInterface.register(NAME, tree_attention)
