"""Whose answers are computed otherwise than by the first version: no others' keys change."""

from typing import Any

import pytest

pytest.importorskip("torch")

from small_tokenizers import CHATML, tokenizer

from runner.serve.method import changed
from runner.serve.model import ServedModel
from runner.study.assets import assets

EVERY = {"text", "letters", "loglik"}


def test_a_pinned_models_answers_are_as_its_entry_says(smollm: ServedModel) -> None:
    assert changed(smollm.tokenizer) == set(assets()["smollm2-135m-instruct"].changed or ())


@pytest.mark.parametrize(
    ("kind", "template", "found"),
    [
        ("qwen", CHATML, {"loglik"}),
        ("qwen", None, EVERY),  # a newline stood behind the prompt
        ("qwen", f"{CHATML}<think>\n", EVERY),
        ("gemma", CHATML, EVERY),  # no beginning of text stood before it
        ("gemma", "{{ bos_token }}" + CHATML, {"loglik"}),
        ("llama", "{{ bos_token }}" + CHATML, {"letters", "loglik"}),  # letters were spelt as at a text's beginning
    ],
)
def test_only_what_changes_is_asked_again(kind: str, template: Any, found: set[str]) -> None:
    assert changed(tokenizer(kind, template)) == found
