"""A study file that is wrong is refused in one sentence that names the key and the remedy."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from studies import ROOT, model, write_study

from personas.errors import InputError
from runner.study.addresses import base_url
from runner.study.config import Study
from runner.study.sections import ModelSection

GOOD = '[study]\nname = "s"\n[personas]\nsources = ["starter_wvs3"]\nn = 3\n[[benchmarks]]\nname = "bbq"\n'
MODEL = '[[models]]\nname = "m"\nbackend = "local"\nid = "x"\n'


def test_the_default_study_is_valid() -> None:
    study = Study.load(ROOT / "mtpa.toml")
    assert study.database == ROOT / "results" / "default.sqlite"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("n = 3", "m = 3") + MODEL, ["'personas.m'", "unknown key"]),
        (GOOD + MODEL.replace("backend", "bakend"), ["'models.0.bakend'", "did you mean 'backend'"]),
        (GOOD + MODEL.replace('"local"', '"locl"'), ["'models.0.backend'", "'openai'", "'locl'"]),
        (GOOD + MODEL + "[budgt]\nusd = 1\n", ["'budgt'", "did you mean 'budget'"]),
        (GOOD, ["'models' is missing"]),
        (GOOD + MODEL + MODEL, ["two models are named 'm'"]),
        (GOOD.replace("n = 3", "n = 0") + MODEL, ["'personas.n'", "greater than 0"]),
        (GOOD + MODEL.replace("local", "openai-compatible"), ["base_urls"]),
        (GOOD.replace("[study]", "[study"), ["not valid TOML"]),
        (GOOD + MODEL + 'path = "x"\n', ["'models.0.path'", "unknown key"]),
        (
            GOOD.replace("n = 3", 'n = 3\ntraits = "core"') + MODEL + '[variants]\ntraits = ["core"]\n',
            ["[personas] traits and [variants] traits", "leave one out"],
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        Study.load(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    for word in words:
        assert word in sentence


def test_a_study_can_be_read_twice_to_the_same_values(tmp_path: Path) -> None:
    path = write_study(tmp_path, [model("http://127.0.0.1:1/v1", price={"input": 1.0, "output": 2.0})])
    assert Study.load(path) == Study.load(path)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("llm.example.org/v1", "write 'https://llm.example.org/v1'"),
        ("localhost:8000/v1", "write 'http://localhost:8000/v1'"),
        ("htp://llm.example.org/v1", "write 'https://llm.example.org/v1'"),
        ("https://llm.example.org/v1/chat/completions/", "leave '/chat/completions' out"),
        ("https://me:secret@llm.example.org/v1", "key_env"),
        ("https://llm.example.org/v1?api-version=1", "leave out what follows"),
        ("https://llm.example.org/v 1", "a space"),
        ("https://[::1/v1", "not a URL"),
    ],
)
def test_an_address_that_is_nearly_right_is_named_with_the_right_one(url: str, words: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(words)):
        ModelSection(name="m", backend="openai-compatible", id="m", base_urls=(url,))


@pytest.mark.parametrize(
    "host", ["a.b\\.api.openai.com", "a%2fb.example", "[::1].example", "[v1.x]", "a&b", "ⓐ.example"]
)
def test_an_address_names_a_host(host: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a host"):
        base_url(f"https://{host}/v1")


def test_white_space_around_an_address_is_not_part_of_it() -> None:
    section = ModelSection(name="m", backend="openai-compatible", id="m", base_urls=(" http://[::1]:8000/v1\n",))
    assert section.base_urls == ("http://[::1]:8000/v1",)


def test_a_study_from_a_dict_is_the_study_of_its_text(tmp_path: Path) -> None:
    tables: dict[str, Any] = tomllib.loads((ROOT / "mtpa.toml").read_text())
    tables["study"]["seed"] = None  # as left out
    tables["variants"]["system"] = 'a "quoted" line\nand \U0001f30d\x7f'
    tables["models"][0]["decoding"] = {"max_tokens": 3, "temperature": 0.5}
    tables["report"]["population"] = {"N.R": 1.5, "SWE": 2}
    study = Study.from_dict(tables, tmp_path / "s.toml")
    assert study.study.seed == 0
    assert study.variants.system == tables["variants"]["system"]
    assert study.models[0].decoding == tables["models"][0]["decoding"]
    assert study.report.population == {"N.R": 1.5, "SWE": 2.0}
    assert study.personas == Study.load(ROOT / "mtpa.toml").personas
    assert study.database == tmp_path / "results" / "default.sqlite"
    assert Study.parse(study.text, study.path) == study
    assert len(repr(study)) < 200


def test_a_dict_that_no_file_could_hold_is_refused_with_the_key() -> None:
    with pytest.raises(InputError, match="set"):
        Study.from_dict({"study": {"name": {"a"}}})
    with pytest.raises(InputError, match="did you mean 'personas'"):
        Study.from_dict({"study": {"name": "s"}, "persona": {"n": 3}})


def test_all_faults_of_a_file_are_named_at_once_and_each_once(tmp_path: Path) -> None:
    text = GOOD.replace("n = 3", "n = 0\ntraits = [3]").replace('name = "bbq"', 'nam = "bbq"')
    text += MODEL.replace('"local"', '"locl"') + "concurency = 3\n"
    with pytest.raises(InputError) as caught:
        Study.parse(text, tmp_path / "s.toml")
    first, *faults = str(caught.value).split("\n  ")
    assert first == f"{tmp_path / 's.toml'}: 5 faults"
    keys = [re.match(r"key '([^']+)'", fault)[1] for fault in faults]  # type: ignore[index]
    expected = {"personas.n", "personas.traits", "benchmarks.0.nam", "models.0.backend", "models.0.concurency"}
    assert set(keys) == expected
