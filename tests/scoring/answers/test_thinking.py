"""What is left of a reply when its thinking is gone."""

import pytest

from scoring.answers.thinking import without_thinking


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("B", "B"),
        ("<think>A</think>B", "B"),
        ("A</think>B", "B"),
        ("<Thinking effort='low'>A</Thinking>B", "B"),
        ("<think><think>A</think>B", "B"),
        ("<think>A<think>C</think>D</think>B", "B"),
        ("<think>A</think>C<think>D</think>B", "B"),
        ("[THINK]A[/THINK]B", "B"),
        ("◁think▷A◁/think▷B", "B"),
        ("<|START_THINKING|>A<|END_THINKING|>B", "B"),
        ("B<reasoning>A</reasoning>", "B"),
        ("<|channel|>analysis<|message|>A<|end|><|start|>assistant<|channel|>final<|message|>B", "B"),
        ("analysisA is tempting.assistantfinalB", "B"),
        ("I am thinking (think of it) of B", "I am thinking (think of it) of B"),
        ("[Reasoning] C lies north. B", "[Reasoning] C lies north. B"),
    ],
)
def test_what_follows_the_last_thought_is_the_answer(text: str, answer: str) -> None:
    assert without_thinking(text).strip() == answer


@pytest.mark.parametrize(
    "text",
    [
        "<think>The answer is B",
        "<think>A</think><think>The answer is B",
        "<think>A<think>C</think>The answer is B",
        "B <think>or is it",
        "[THINK]B",
        "<|channel|>analysis<|message|>B",
        "analysisThe answer is B",
        "<think>B</think>",
    ],
)
def test_a_thought_that_never_ends_is_no_answer(text: str) -> None:
    assert not without_thinking(text).strip()
