"""A backend is one class and one registration: a study that names it is planned, run and reported."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from studies import load

from personas.errors import InputError
from runner.backends.base import Answer
from runner.backends.catalogue.parameters import adapted
from runner.backends.request import Request, Usage
from runner.engine.run import run
from runner.results.study_report import finding
from runner.store.scores import load_scores
from runner.study import backend_kinds
from runner.study.backend_kinds import BackendKind, register
from runner.study.sections import ModelSection
from runner.study.tables.endpoint_section import EndpointSection
from scoring.answers.responses import Response

sent: list[Request] = []


class FirstLetter:
    """Answers every question with its first letter."""

    def __init__(self, section: ModelSection, learn: Callable[..., None]) -> None:
        self.section = section

    async def answer(self, request: Request) -> Answer:
        sent.append(request)
        return Answer(Response(text="A", finish="stop"), Usage(prompt_tokens=9, completion_tokens=1))

    async def close(self) -> None:
        pass


def _bounds(name: str, answer: str, decoding: object) -> None:
    if answer != "text":
        raise ValueError("it shows no probabilities; set answer = 'text'")


@pytest.fixture
def thrown_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A backend that is known for one test."""
    monkeypatch.setattr(backend_kinds, "_registered", dict(backend_kinds._registered))
    monkeypatch.setitem(sys.modules, "first_letter", sys.modules[__name__])
    register(
        BackendKind(
            name="first-letter",
            decoding=frozenset({"max_tokens", "mood"}),
            executors={"process": "first_letter:FirstLetter"},
            endpoint="http://127.0.0.1:9",
            check=_bounds,
        )
    )
    sent.clear()
    yield


TABLE = {"name": "m", "backend": "first-letter", "id": "m-1", "answer": "text", "decoding": {"max_tokens": 3}}


@pytest.mark.usefixtures("thrown_away")
async def test_a_study_of_a_registered_backend_runs_and_reports(tmp_path: Path) -> None:
    table = {**TABLE, "base_urls": ["http://127.0.0.1:9"], "baseline_replicates": 1}
    study = load(tmp_path, [table], n=5, groups=6)
    state = await run(study, pilot=False)
    assert (state.exit_code, state.sent, state.total("answered")) == (0, len(sent), 36)
    assert load_scores(study.database)["value"].notna().all()
    assert finding(study)
    assert (await run(study)).sent == 0
    assert adapted(study.models[0])[0] == {"max_tokens": 3}


@pytest.mark.usefixtures("thrown_away")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"backend": "last-letter"}, "'first-letter'"),
        ({"answer": "probabilities"}, "it shows no probabilities"),
        ({"decoding": {"temperature": 0}}, "unknown parameter"),
        ({"mode": "batch"}, "takes no batches"),
        ({"executor": "ray"}, "an endpoint needs no cluster"),
    ],
)
def test_its_row_says_what_a_study_may_ask_of_it(changes: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        load(tmp_path, [{**TABLE, **changes}])


def test_every_key_of_an_endpoint_is_some_backends() -> None:
    owned = [name for kind in backend_kinds.backend_kinds() for name in kind.endpoint_keys]
    assert sorted(owned) == sorted(EndpointSection.model_fields)
