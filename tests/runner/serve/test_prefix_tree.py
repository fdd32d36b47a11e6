"""The prefix tree holds every row, each distinct prefix that is worth it once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")

from runner.serve.prefix_tree import WORTH, PrefixTree, common, plan

# few tokens and long repeats, so that rows nest, are equal, and are prefixes of one another
ROWS = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2 * WORTH)), min_size=1, max_size=4).map(
        lambda runs: [token for token, times in runs for _ in range(times)]
    ),
    min_size=1,
    max_size=12,
)


def row_of(tree: PrefixTree, number: int) -> list[int]:
    lineage = [tree.nodes[each] for each in tree.lineage(tree.leaves[number])]
    assert [node.depth for node in lineage] == [
        sum(node.length for node in lineage[:end]) for end in range(len(lineage))
    ]
    return [tree.tokens[place] for node in lineage for place in node.places]


@given(ROWS)
def test_every_row_can_be_read_from_the_tree(rows: list[list[int]]) -> None:
    rows.sort()
    tree = plan(rows)
    assert sum(node.length for node in tree.nodes) == len(tree.tokens) <= sum(map(len, rows))
    for number, row in enumerate(rows):
        assert row_of(tree, number) == row
        assert [tree.tokens[tree.packed(number, place)] for place in range(len(row))] == row


@given(ROWS)
def test_what_two_rows_share_is_computed_once_where_it_is_worth_it(rows: list[list[int]]) -> None:
    rows.sort()
    tree, most = plan(rows), max(map(len, rows))
    distinct = len({tuple(row[: end + 1]) for row in rows for end in range(len(row))})
    assert distinct <= len(tree.tokens) < distinct + WORTH * len(rows)
    assert len(plan([rows[0]] * 5).tokens) == len(rows[0]) <= most


def test_common_counts_the_first_tokens_that_agree() -> None:
    assert common([1, 2, 3], [1, 2, 4]) == 2
    assert common([1, 2], [1, 2]) == 2
    assert common([1], [2, 3]) == common([], [1]) == 0
    assert common([1] * 1000 + [2], [1] * 1000 + [3]) == 1000
