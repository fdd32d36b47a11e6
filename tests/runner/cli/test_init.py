"""Every study that `init` writes, against a fake that refuses what the models named in it refuse."""

import tomllib
from pathlib import Path
from typing import get_args

import pytest
from fake_llm import FakeLLM
from google.oauth2.credentials import Credentials
from strict_llm import StrictLLM
from typer.testing import CliRunner

from personas.errors import InputError
from runner.backends.catalogue.parameters import adapted, without_probabilities
from runner.backends.catalogue.price_list import backend_of, listed
from runner.backends.catalogue.prices import FREE, price_of
from runner.cli.app import app
from runner.cli.init import Kind, init
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.plan import plan
from runner.study.config import Study
from runner.study.sections import BenchmarkSection, ModelSection
from runner.study.sources import described

LOCAL = ("local", "fidelity")
KEYS = ("OPENAI_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY")
FEW = BenchmarkSection(name="crows_pairs", part="choice", groups=2)  # BBQ takes seconds to read


def written(kind: Kind, folder: Path) -> Study:
    """The study that `init` writes, with two people of the starter survey and a few items."""
    path = folder / "mtpa.toml"
    init(kind, path)
    study = Study.load(path)
    source = "starter_gss2018" if study.fidelity else "starter_wvs3"
    personas = study.personas.model_copy(update={"sources": (source,), "where": {}, "n": 2})
    for each in study.benchmarks:
        described(each.name, study)  # raises for one that nobody has
    return study.model_copy(update={"personas": personas, "benchmarks": (FEW,)})


def elsewhere(model: ModelSection, server: StrictLLM) -> ModelSection:
    """The model, asked of the fake and priced as it is listed."""
    url = server.url.removesuffix("/v1") if model.backend == "gemini" else server.url
    return model.model_copy(update={"base_urls": (url,), "price": price_of(model), "key_env": None})


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in LOCAL else []) for kind in get_args(Kind)]
)
async def test_every_template_is_planned_priced_and_asked(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, "k")
    monkeypatch.setattr("google.auth.default", lambda **_: (Credentials(token="a-token"), "a-project"))
    study = written(kind, tmp_path)
    remote = [model for model in study.models if model.backend != "local"]
    assert bool(remote) == (kind not in LOCAL)
    for model in remote:
        assert (price_of(model) == FREE) == (not model.leaves_machine)
        assert adapted(model)[1] == without_probabilities(model) == []  # a template asks of a model what it takes
        if model.kind.prices:
            known = listed(model)
            assert known and not known.deprecated
    if not remote:
        with prepared(study) as ready:
            assert plan(ready).usd == 0
        return
    with StrictLLM() as server:
        study = study.model_copy(update={"models": tuple(elsewhere(model, server) for model in remote)})
        with prepared(study) as ready:
            found = plan(ready)
            assert all(row.to_send for row in found.rows)
            assert found.usd < (study.budget.usd or 5)
            for row, model in zip(found.rows, study.models, strict=True):  # many short prompts are no long one
                price = price_of(model)
                tokens = row.prompt_tokens * price.input + row.output_tokens_high * price.output
                assert row.usd_high == pytest.approx(tokens / 1e6, abs=2e-6)
        state = await run(study, limit=6, pilot=False)
        assert (server.refused, state.total("answered")) == ([], 6 * len(remote))
        sent = server.requests
        await run(study, limit=6, pilot=False)
        assert server.requests == sent


def test_the_papers_own_models_stay_with_the_day_of_their_end(tmp_path: Path) -> None:
    init("paper", tmp_path / "mtpa.toml")
    text = (tmp_path / "mtpa.toml").read_text()
    for ended in ("gpt-5, until 2026-12-11", "gpt-4o, until 2027-01-14", "gemini-2.0-flash, ended on 2026-06-01"):
        assert f"# The paper: {ended}" in text
    asked = {model["id"] for model in tomllib.loads(text)["models"]}
    assert not asked & {"gpt-5", "gpt-4o", "gpt-4o-mini", "gemini-2.0-flash", "gemini-2.5-flash"}


def test_try_writes_a_study_that_can_be_kept_and_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with FakeLLM() as server:
        arguments = ["try", "--model", "my/model", "--base-url", server.url, "--benchmark", "crows_pairs:choice"]
        ended = CliRunner().invoke(app, [*arguments, "--n", "4", "--groups", "3", "--usd", "0.5"])
        assert ended.exit_code == 0, ended.output
        assert "mtpa-run --study results/try-my-model-crows_pairs-choice.toml view" in " ".join(ended.output.split())
        study = Study.load("results/try-my-model-crows_pairs-choice.toml")
        assert (study.personas.n, study.budget.usd) == (4, 0.5)
        assert study.database.is_file()
        sent = server.requests
        again = CliRunner().invoke(app, [*arguments, "--n", "4", "--groups", "3", "--usd", "0.5"])
        assert again.exit_code == 0 and server.requests == sent > 0
        larger = CliRunner().invoke(app, [*arguments, "--n", "5", "--groups", "3", "--usd", "0.7"])
        assert larger.exit_code == 0 and sent < server.requests < 2 * sent and server.repeats == 0
        study = Study.load(study.path)
        assert study.personas.n == 5
        study.path.write_text(study.text + "# changed by hand\n")
        other = CliRunner().invoke(app, [*arguments, "--n", "6", "--groups", "3", "--usd", "0.7"])
        assert isinstance(other.exception, InputError) and "--to FOLDER" in str(other.exception)


def test_try_asks_whose_an_unknown_model_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, ["try", "--model", "nobody-1", "--benchmark", "bbq"])
    assert isinstance(ended.exception, InputError) and "--base-url" in str(ended.exception)
    assert not Path("results").exists()
    known = {"gpt-4o-mini": "openai", "gemini-2.5-flash": "gemini", "claude-haiku-5-5": "anthropic"}
    known["smollm2-135m-instruct"] = "local"
    assert {name: backend_of(name) for name in known} == known


@pytest.mark.parametrize(
    ("option", "value", "said"), [("--usd", "inf", "finite number"), ("--backend", "b", "name one of")]
)
def test_a_value_that_no_study_takes_is_a_sentence(option: str, value: str, said: str, tmp_path: Path) -> None:
    arguments = ["try", "--model", "m", "--base-url", "http://127.0.0.1:1/v1", "--benchmark", "crows_pairs:choice"]
    ended = CliRunner().invoke(app, [*arguments, option, value, "--to", str(tmp_path)])
    assert isinstance(ended.exception, InputError) and said in str(ended.exception)
