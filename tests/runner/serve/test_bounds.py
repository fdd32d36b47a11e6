"""What one request may ask: refused before anything is made of it."""

from typing import Any

import pytest

from runner.serve.bounds import TooMuch, refuse_too_much

CONTEXT = 1000


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": [1] * (CONTEXT + 1)},
        {"prompt": [[1], [2] * (CONTEXT + 1)]},
        {"prompt": ["a"] * 257},
        {"prompt": [[1]] * 257},
        {"prompt": "a" * 70_000},
        {"stop": ["a"] * 17},
        {"stop": "a" * 257},
        {"messages": [{}] * 257},
        {"input": ["a"] * 2049},
    ],
)
def test_too_much_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(TooMuch):
        refuse_too_much(body, CONTEXT)


@pytest.mark.parametrize("prompt", [[1] * CONTEXT, [[1] * CONTEXT] * 256, ["a"] * 256, [], "a", [[]], None, 5])
def test_what_the_model_can_read_is_let_through(prompt: Any) -> None:
    refuse_too_much({"prompt": prompt}, CONTEXT)
