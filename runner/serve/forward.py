"""Forward passes: what a model says of many rows, each distinct token computed once."""

import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import torch
from transformers import Cache, DynamicCache

from runner.serve.prefix_tree import WORTH, PrefixTree, plan
from runner.serve.prompts import PromptRow, RowScores
from runner.serve.tree_attention import NAME, laid_out

CHUNK = 32  # rows of logits that are normalised at once, in float32: few enough for a processor's cache
LENGTH_DEPENDENT = {"dynamic", "longrope"}  # positions that depend on the longest row of a batch
SHARED_LAYERS = {"full_attention", "sliding_attention"}
AGREEMENT = 0.05  # of the logits' own spread: rounding in bfloat16 stays under a fifth of it


class Passes:
    """A model's forward passes; not safe for use by two threads at once.

    `shares` says whether rows share what they begin with. That needs a model whose attention can be replaced and whose
    layers look at nothing but keys and values: recurrent models, convolutions and attention sinks get batches of rows
    of equal length instead, which is exact for every model.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._plain = model.config._attn_implementation
        self._slices = "logits_to_keep" in inspect.signature(model.forward).parameters
        self.device: torch.device = model.device
        self.shares = _replaceable(model) and self._agrees()

    @torch.inference_mode()
    def run(self, rows: Sequence[PromptRow]) -> list[RowScores]:
        """What is asked of each row; all rows are in memory at once."""
        if self.shares:
            return self._shared(rows)
        return self.alone(rows)

    @torch.inference_mode()
    def alone(self, rows: Sequence[PromptRow], together: int = 8) -> list[RowScores]:
        """The same without sharing: batches of at most `together` rows of equal length, nothing padded."""
        found: dict[int, RowScores] = {}
        for batch in equally_long([row.tokens for row in rows], together):
            ids = torch.tensor([rows[number].tokens for number in batch], device=self.device)
            wanted = sorted({place for number in batch for place in rows[number].places})
            logits = self._logits(ids, torch.tensor(wanted, device=self.device))
            index = {place: number for number, place in enumerate(wanted)}
            for logit_rows, number in zip(logits, batch, strict=True):
                (found[number],) = _read(logit_rows, [rows[number]], [index])
        return [found[number] for number in range(len(rows))]

    @torch.inference_mode()
    def embeddings(self, texts: Sequence[list[int]], together: int = 8) -> list[list[float]]:
        """The mean over a text's tokens of the last layer's hidden states, for each text."""
        decoder = self._model.get_decoder()
        found: dict[int, list[float]] = {}
        for batch in equally_long(texts, together):
            ids = torch.tensor([texts[number] for number in batch], device=self.device)
            hidden = decoder(ids, use_cache=False).last_hidden_state
            found.update(zip(batch, hidden.float().mean(1).tolist(), strict=True))
        return [found[number] for number in range(len(texts))]

    @torch.inference_mode()
    def cached(self, rows: Sequence[list[int]]) -> Cache | None:
        """Keys and values of rows of tokens, padded with zeros on the left to the longest; None without sharing."""
        if not self.shares or not all(rows):
            return None
        order = sorted(range(len(rows)), key=lambda number: rows[number])
        tree = plan([rows[number] for number in order])
        packed: Any = DynamicCache()
        with self._attending_by_tree():
            self._model.get_decoder()(use_cache=True, past_key_values=packed, **self._inputs(tree))
        longest = max(map(len, rows))
        place = torch.zeros(len(rows), longest, dtype=torch.long)
        blank = torch.ones(len(rows), 1, longest, 1, dtype=torch.bool)
        for rank, number in enumerate(order):
            own = [tree.nodes[part].places for part in tree.lineage(tree.leaves[rank])]
            start = longest - len(rows[number])
            place[number, start:] = torch.tensor([each for places in own for each in places])
            blank[number, :, start:] = False
        found = DynamicCache()
        for number, layer in enumerate(packed.layers):
            keys, values = (_rows(each, place, blank) for each in (layer.keys, layer.values))
            found.update(keys, values, number)
            layer.keys = layer.values = None
        return found

    def _shared(self, rows: Sequence[PromptRow]) -> list[RowScores]:
        order = sorted(range(len(rows)), key=lambda number: rows[number].tokens)
        ranked = [rows[number] for number in order]
        tree = plan([row.tokens for row in ranked])
        packed = [{place: tree.packed(rank, place) for place in row.places} for rank, row in enumerate(ranked)]
        wanted = sorted({place for each in packed for place in each.values()})
        index = {place: number for number, place in enumerate(wanted)}
        with self._attending_by_tree():
            logits = self._logits(wanted=torch.tensor(wanted, device=self.device), **self._inputs(tree))[0]
        lookup = [{place: index[there] for place, there in each.items()} for each in packed]
        told = dict(zip(order, _read(logits, ranked, lookup), strict=True))
        return [told[number] for number in range(len(rows))]

    def _inputs(self, tree: PrefixTree) -> dict[str, Any]:
        """A packed tree as a model takes it."""
        places = [place for node in tree.nodes for place in range(node.depth, node.depth + node.length)]
        return {
            "input_ids": torch.tensor([tree.tokens], device=self.device),
            "position_ids": torch.tensor([places], device=self.device),
            "tree": laid_out(tree, self.device),
        }

    @contextmanager
    def _attending_by_tree(self) -> Iterator[None]:
        self._model.set_attn_implementation(NAME)
        try:
            yield
        finally:
            self._model.set_attn_implementation(self._plain)

    def _logits(self, input_ids: torch.Tensor, wanted: torch.Tensor, **how: Any) -> torch.Tensor:
        """Logits behind the wanted places, of shape (rows, places, vocabulary)."""
        if self._slices:
            found: torch.Tensor = self._model(input_ids, use_cache=False, logits_to_keep=wanted, **how).logits
            return found
        found = self._model(input_ids, use_cache=False, **how).logits
        return found[:, wanted]

    @torch.inference_mode()
    def _agrees(self) -> bool:
        """Whether sharing gives this model's own logits, on two rows of made-up tokens that share their beginning."""
        size = self._model.get_input_embeddings().weight.shape[0]
        ids = [(7919 * number + 31) % size for number in range(3 * WORTH)]
        asked = tuple((len(ids) - 1, token) for token in range(0, size, 97))
        rows = [PromptRow([*ids[:-1], end], asked) for end in (1, 2)]
        try:
            shared = torch.tensor([told.logprobs for told in self._shared(rows)])
        except (TypeError, ValueError, RuntimeError, AttributeError):
            return False
        plain = torch.tensor([told.logprobs for told in self.alone(rows)])
        return bool((shared - plain).abs().mean() < AGREEMENT * plain.std())


def _rows(packed: torch.Tensor, place: torch.Tensor, blank: torch.Tensor) -> torch.Tensor:
    """Tokens (rows, heads, length, size) at `place` (rows, length) of a packed sequence (1, heads, tokens, size)."""
    found = packed[0][:, place.to(packed.device)].transpose(0, 1)
    return found.masked_fill(blank.to(packed.device), 0)


def _replaceable(model: Any) -> bool:
    """Whether the model's attention can be replaced and nothing else connects its tokens."""
    config = model.config.get_text_config()
    layers = set(getattr(config, "layer_types", None) or ["full_attention"])
    if LENGTH_DEPENDENT & set(re.findall(r"\w+", str(getattr(config, "rope_parameters", None)))):
        return False
    return bool(model._supports_attention_backend and not model._is_stateful and layers <= SHARED_LAYERS)


def equally_long(rows: Sequence[list[int]], together: int) -> Iterator[list[int]]:
    """The numbers of rows of equal length, at most `together` at a time."""
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    for _, group in groupby(order, key=lambda number: len(rows[number])):
        members = list(group)
        yield from (members[start : start + together] for start in range(0, len(members), together))


def _read(logits: torch.Tensor, rows: Sequence[PromptRow], lookup: Sequence[dict[int, int]]) -> list[RowScores]:
    """What is asked of each row, from logits (places, vocabulary) and where each row's places are among them."""
    parts = [torch.logsumexp(part.float(), dim=-1) for part in torch.split(logits, CHUNK)]
    normalisers = torch.cat(parts) if parts else logits.new_zeros(0)
    pairs = [(places[place], token) for row, places in zip(rows, lookup, strict=True) for place, token in row.asked]
    numbers: list[float] = []
    if pairs:
        where, token = torch.tensor(pairs, device=logits.device).unbind(1)
        numbers = (logits[where, token].float() - normalisers[where]).tolist()
    told, start = [], 0
    for row, places in zip(rows, lookup, strict=True):
        top: list[tuple[int, float]] = []
        if row.top:
            last = places[len(row.tokens) - 1]
            values, tokens = (logits[last].float() - normalisers[last]).topk(row.top)
            top = list(zip(tokens.tolist(), values.tolist(), strict=True))
        own = torch.tensor([places[place] for place, _ in row.asked] if row.tops else [], dtype=torch.long)
        told.append(RowScores(numbers[start : start + len(row.asked)], top, _tops(logits, normalisers, own, row.tops)))
        start += len(row.asked)
    return told


def _tops(
    logits: torch.Tensor, normalisers: torch.Tensor, places: torch.Tensor, count: int
) -> list[list[tuple[int, float]]]:
    """The `count` likeliest tokens behind each of these places, with their log-probabilities."""
    found: list[list[tuple[int, float]]] = []
    for part in torch.split(places.to(logits.device), CHUNK) if len(places) else ():
        values, tokens = (logits[part].float() - normalisers[part, None]).topk(count)
        found += [list(zip(*pair, strict=True)) for pair in zip(tokens.tolist(), values.tolist(), strict=True)]
    return found
