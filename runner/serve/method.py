"""Which answers of a local model are computed otherwise, for the same messages, than by the first version."""

from pathlib import Path
from typing import Any, Literal

from runner.serve.loading import load_tokenizer
from runner.serve.prompts import Prompter

Kind = Literal["text", "letters", "loglik"]
_CHOICES = ("A", "B", "C", "D")
_QUESTION = "Which is right?\nA. One\nB. Two\nC. Three\nD. Four\nRespond with a single letter (A, B, C, ...) only."


def changed_of_model(source: Path | str, gguf: str | None, revision: str | None) -> frozenset[Kind]:
    """The kinds of answers that are. Raises InputError or MachineError."""
    return changed(load_tokenizer(source, gguf, revision))


def changed(tokenizer: Any) -> frozenset[Kind]:
    """The same of a tokenizer with its template.

    The first version put nothing before a chat's tokens and a newline behind one without a template, left a template's
    thinking open, and spelt letters without what stands before them; it read every log-likelihood otherwise.
    """
    prompter = Prompter(tokenizer, 1 << 30)
    messages = [{"role": "user", "content": _QUESTION}]
    every: frozenset[Kind] = frozenset(("text", "letters", "loglik"))
    try:
        written = prompter.written(messages)
        row, counts = prompter.letters(messages, _CHOICES)
    except ValueError:
        return every
    before = prompter.tokens(prompter.rendered(messages) if tokenizer.chat_template else f"{written}\n")
    if before != prompter.prompt(written):
        return every
    spelt = [[ids[0] for text in (each, f" {each}") if len(ids := prompter.tokens(text)) == 1] for each in _CHOICES]
    asked = iter(token for _, token in row.asked)
    now = [{next(asked) for _ in range(count)} for count in counts]
    same = row.tokens == before and now == list(map(set, spelt))
    return every - {"text", "letters"} if same else every - {"text"}
