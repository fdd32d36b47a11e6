"""What `decoding` may say."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from studies import write_study

from personas.errors import InputError
from runner.study.backend_kinds import backend_kinds
from runner.study.config import Study
from runner.study.decoding import ALWAYS, check_decoding


@pytest.mark.parametrize(
    ("backend", "decoding", "words"),
    [
        ("openai", {"stream": False}, "never streamed"),
        ("openai-compatible", {"messages": []}, "the study's"),
        ("openai-compatible", {"extra_body": {"n": 2}}, "replicates"),
        ("openai-compatible", {"presense_penalty": 1}, "did you mean 'presence_penalty'"),
        ("openai", {"chain": 3}, r"extra_body = \{ chain = … \}"),
        ("gemini", {"thinkingconfig": {}}, "did you mean 'thinking_config'"),
        ("local", {"logit_bias": {}}, "known: "),
        ("openai-compatible", {"top_p": "1"}, "valid number"),
        ("openai-compatible", {"max_completion_tokens": -1}, "greater than or equal to 1"),
        ("openai", {"logit_bias": {"5": float("inf")}}, "cannot be sent"),
    ],
)
def test_what_cannot_be_sent_is_one_sentence(backend: str, decoding: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        check_decoding(backend, decoding)
    assert str(caught.value).startswith(next(iter(decoding)))


def test_a_study_names_the_key_and_not_the_whole_table(tmp_path: Path) -> None:
    path = write_study(tmp_path, [{"name": "m", "backend": "openai", "id": "m", "decoding": {"temperatur": 0}}])
    with pytest.raises(InputError, match=r"key 'models.0.decoding': temperatur: unknown parameter") as caught:
        Study.load(path)
    assert "it is" not in str(caught.value).replace("it is this endpoint's own", "")


def test_what_is_known_is_what_the_sdks_take() -> None:
    from google.genai import types
    from openai.resources.chat.completions import AsyncCompletions

    chat = set(inspect.signature(AsyncCompletions.create).parameters)
    known = {kind.name: kind.decoding for kind in backend_kinds() if kind.decoding is not None}
    assert known["openai"] <= chat and {"model", "messages", "n", "stream"} <= set(ALWAYS)
    assert known["gemini"] - {"max_tokens"} <= set(types.GenerateContentConfig.model_fields)
    assert not any(names & set(ALWAYS) for names in known.values())
