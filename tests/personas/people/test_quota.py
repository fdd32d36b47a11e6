"""Seats are given so that every level is within one of its target at every prefix, whatever the shares."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.people.quota import Branches, seats

LEVELS = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from([1.0, 1.0, 0.001, 7.5, 1 / 3]), st.integers(0, 3)),
    min_size=1,
    max_size=9,
)


@settings(max_examples=80)
@given(LEVELS, st.sampled_from(["members", "alike", "own"]), st.booleans(), st.integers(0, 10**6))
def test_every_count_is_within_one_of_its_target_at_every_prefix(
    levels: list[tuple[int, float, int]], kind: str, floors: bool, seed: int
) -> None:
    members = np.array([size for size, _, _ in levels])
    share = {"members": members * 1.0, "alike": np.ones(len(levels)), "own": np.array([own for _, own, _ in levels])}
    least = np.minimum(members, [floor for _, _, floor in levels]) * int(floors)
    branches, n = Branches(share[kind], members, least), int(members.sum())
    targets = branches.targets(n)
    assert np.allclose(targets.sum(axis=1), np.arange(1, n + 1))
    order = seats(branches, n, str(seed))
    given_ = np.cumsum(order[:, None] == np.arange(len(levels)), axis=0)
    assert np.abs(given_ - targets).max() < 1 + 1e-6
    assert (given_[-1] == members).all()  # nobody is drawn twice, nobody is left out
    if least.sum():
        assert (given_[least.sum() - 1] >= least).all()
    assert (seats(branches, n // 2, str(seed)) == order[: n // 2]).all()


def test_equal_shares_go_on_among_those_who_are_left() -> None:
    branches = Branches(np.ones(3), np.array([2, 50, 50]), np.zeros(3, dtype=int))
    counts = np.bincount(seats(branches, 42, "a"), minlength=3)
    assert counts.tolist() == [2, 20, 20]


def test_over_many_seeds_everybody_gets_the_share_that_is_due() -> None:
    branches = Branches(np.array([70.0, 20, 10]), np.array([700, 200, 100]), np.zeros(3, dtype=int))
    mean = np.mean([np.bincount(seats(branches, 6, str(seed)), minlength=3) for seed in range(300)], axis=0)
    assert np.abs(mean - [4.2, 1.2, 0.6]).max() < 0.25
