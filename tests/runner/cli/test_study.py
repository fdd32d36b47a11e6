"""How a run says that it ended."""

from collections import Counter

import pytest

from runner.backends.errors import BackendError, BadRequest, Transient
from runner.cli.study import _endings
from runner.engine.state import State, Tally


@pytest.mark.parametrize(
    ("errors", "last"),
    [
        ([Transient("503", "overloaded")], "Run again to retry just those."),
        ([BadRequest("413", "too long")], "Asked again as they are, they would be refused again"),
        ([Transient("503", "overloaded"), BadRequest("413", "too long")], "1 were refused and would be again"),
    ],
)
def test_to_run_again_is_advised_only_where_it_can_help(errors: list[BackendError], last: str) -> None:
    state = State(tallies={("m", "b"): Tally(planned=9, failed=len(errors))}, failures=Counter())
    for error in errors:
        state.failures["m", error.kind] += 1
        state.failed("m", error)
    said = _endings(state)
    assert str(errors[-1]) in said[0]
    assert last in said[-1]
