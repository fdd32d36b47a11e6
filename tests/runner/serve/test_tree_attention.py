"""Both layouts of a prefix tree give each token of each row what plain attention gives it."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from runner.serve.prefix_tree import PrefixTree, plan  # noqa: E402
from runner.serve.tree_attention import TreeGroups, TreeLayout  # noqa: E402
from runner.serve.tree_runs import LONGEST, TOGETHER, Attention, TreeRuns  # noqa: E402

HEADS, KEY_HEADS, SIZE, SCALING = 6, 2, 4, 0.7


def runs_on(cores: int) -> Callable[[PrefixTree], TreeLayout]:
    """Runs that so many cores share."""

    def made(tree: PrefixTree) -> TreeLayout:
        before = torch.get_num_threads()
        torch.set_num_threads(cores)
        try:
            return TreeRuns(tree)
        finally:
            torch.set_num_threads(before)

    return made


LAYOUTS: dict[str, Callable[[PrefixTree], TreeLayout]] = {
    "groups": lambda tree: TreeGroups(tree, torch.device("cpu")),
    "runs": runs_on(1),
    "runs on three cores": runs_on(3),
}
# what rows begin with, longer than a run; and many short endings
ROWS = [[7] * LONGEST + [8] * (LONGEST + 3) + [number] * (1 + number % 30) for number in range(9, 40)]
ROWS += [[7] * LONGEST + [5], [3], [*range(100, 100 + TOGETHER)]]


def plain(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, window: int | None, softcap: float | None
) -> torch.Tensor:
    """One row's causal attention, every score made: (tokens, heads, size)."""
    keys, values = (each.repeat_interleave(HEADS // KEY_HEADS, 0) for each in (key, value))
    scores = torch.einsum("hqd,hkd->hqk", query, keys) * SCALING
    scores = softcap * torch.tanh(scores / softcap) if softcap else scores
    seen = torch.ones(scores.shape[1:]).tril()
    seen -= seen.tril(-window) if window else 0
    weights = torch.softmax(scores.masked_fill(seen == 0, -torch.inf), dim=-1)
    return torch.einsum("hqk,hkd->qhd", weights, values)


def compare(layout: str, rows: list[list[int]], window: int | None, softcap: float | None) -> None:
    """Every token of every row against `plain`."""
    tree = plan(sorted(rows))
    random = torch.Generator().manual_seed(len(tree.tokens))
    query, key, value = (
        torch.randn(each, len(tree.tokens), SIZE, generator=random) for each in (HEADS, *[KEY_HEADS] * 2)
    )
    packed = LAYOUTS[layout](tree).attend(Attention(query, key, value, SCALING, window, softcap))
    for leaf in sorted(set(tree.leaves)):
        places = [place for node in tree.lineage(leaf) for place in tree.nodes[node].places]
        wanted = plain(query[:, places], key[:, places], value[:, places], window, softcap)
        assert torch.allclose(packed[places], wanted, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("window", "softcap"), [(None, None), (LONGEST // 2, None), (3, 1.5)])
def test_long_beginnings_and_many_short_endings(layout: str, window: int | None, softcap: float | None) -> None:
    compare(layout, ROWS, window, softcap)


@pytest.mark.parametrize("layout", LAYOUTS)
@given(
    rows=st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=60), min_size=1, max_size=8),
    beginnings=st.lists(st.integers(0, 80), min_size=8, max_size=8),
    window=st.sampled_from([None, 1, 20]),
)
@settings(max_examples=30, deadline=None)
def test_any_tree(layout: str, rows: list[list[int]], beginnings: list[int], window: int | None) -> None:
    compare(layout, [[2] * length + row for length, row in zip(beginnings, rows, strict=False)], window, None)


def test_threads_of_one_core_leave_the_others_as_they_are() -> None:
    """A thread that starts later than those of the layout still uses every core."""
    script = """
import threading, torch
from runner.serve import tree_runs
torch.set_num_threads(2)
known = [tree_runs._pool(2).submit(torch.get_num_threads).result() for _ in range(4)]
later = threading.Thread(target=lambda: known.append(torch.get_num_threads()))
later.start()
later.join()
print(*known, torch.get_num_threads())
"""
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["1"] * 4 + ["2", "2"]
