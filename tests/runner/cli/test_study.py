"""What a run shows while it goes, and how it says that it ended."""

from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import model, start, write_study

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


async def _refuse(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse:
    return web.json_response({"error": {"message": "no such\x1b[2J model", "code": "model_not_found"}}, status=404)


@pytest.mark.parametrize(("option", "steps"), [([], False), (["-v"], True)])
def test_the_log_of_a_run_is_shown_where_it_is_asked_for(option: list[str], steps: bool, tmp_path: Path) -> None:
    with FakeLLM(misbehave=_refuse) as server:
        path = write_study(tmp_path, [model(server.url)], n=2, groups=2)
        shown = start(path, *option).communicate()[0]
    assert ("INFO mtpa.runner.engine.run: run 1 of" in shown) == steps
    assert ("WARNING mtpa.runner.engine.state: model fake stops: " in shown) == steps
    assert shown.count("Model fake stopped: ") == 1  # in the last lines, where it is read
    assert "\x1b" not in shown and "Traceback" not in shown
