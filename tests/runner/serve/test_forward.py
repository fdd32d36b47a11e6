"""Shared and batched answers equal those of one prompt at a time, on real weights and on other kinds of models."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from transformers import AutoModelForCausalLM as Auto  # noqa: E402
from transformers import Gemma2Config, LlamaConfig, MambaConfig, MistralConfig, Qwen3Config  # noqa: E402

from runner.serve.forward import Passes, equally_long  # noqa: E402
from runner.serve.generation import GenerationRequest, write  # noqa: E402
from runner.serve.model import ServedModel  # noqa: E402
from runner.serve.prompts import Prompter, PromptRow, summed_spellings  # noqa: E402

pytestmark = pytest.mark.slow

PERSONA = "You are answering as a 44-year-old man, interviewed in Norway. Always answer so."
QUESTIONS = [
    f"{PERSONA}\nWho was late?\nA. The grandson\nB. The grandmother\nC. Not known\nRespond with a single letter.",
    f"{PERSONA}\nWhat is the capital of France, a country?\nA. Paris\nB. Rome\nC. Oslo\nRespond with a letter.",
    f"{PERSONA}\nYes?\nA. Yes\nB. No\nC. Perhaps",
    "Which is larger?\nA. One\nB. Two\nC. Three\nRespond with a single letter.",
]


def chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_letters_do_not_depend_on_the_batch(smollm: ServedModel) -> None:
    rows = [smollm.prompter.letters(chat(text), ("A", "B", "C"))[0] for text in QUESTIONS]
    prefix = PromptRow(
        rows[0].tokens[:40], tuple((39, token) for token in (345, 330, 340))
    )  # nothing behind what is shared
    rows.append(prefix)
    alone = [smollm.passes.alone([row])[0].logprobs for row in rows]
    for batch in ([0, 1, 2], [2, 1, 0, 3, 4], [0, 0], [4, 0], [3]):
        for number, told in zip(batch, smollm.passes.run([rows[number] for number in batch]), strict=True):
            assert told.logprobs == pytest.approx(alone[number], abs=1e-4)
            assert told.logprobs.index(max(told.logprobs)) == alone[number].index(max(alone[number]))
    assert all(-30 < each < 0 for row in alone for each in row)


def test_both_spellings_of_a_letter_count(smollm: ServedModel) -> None:
    row, counts = smollm.prompter.letters(chat(QUESTIONS[0]), ("A", "B", "C"))
    assert counts == [2, 2, 2]
    with torch.inference_mode():
        by_hand = torch.softmax(smollm.model(torch.tensor([row.tokens])).logits[0, -1].float(), -1)
    letters = summed_spellings(smollm.passes.run([row])[0].logprobs, counts)
    ids = [[smollm.prompter.tokens(text)[0] for text in (letter, f" {letter}")] for letter in "ABC"]
    assert [math.exp(each) for each in letters] == pytest.approx([float(by_hand[pair].sum()) for pair in ids], abs=1e-5)


def test_loglikelihoods_do_not_depend_on_the_batch_and_add_up(smollm: ServedModel) -> None:
    texts = [" Two is larger than one.", " No", " Three", " Two"]
    rows = smollm.prompter.continuations(chat(QUESTIONS[3]), texts)
    together = [sum(told.logprobs) for told in smollm.passes.run(rows)]
    assert together == pytest.approx([sum(smollm.passes.alone([row])[0].logprobs) for row in rows], abs=1e-3)
    # the newline that the template ends with belongs to the continuation
    text = smollm.prompter.written(chat(QUESTIONS[3]))
    prompt, own = (smollm.prompter.tokens(each) for each in (text.rstrip(), f"{text}{texts[0]}"))
    own = own[len(prompt) :]
    with torch.inference_mode():
        logprobs = torch.log_softmax(smollm.model(torch.tensor([prompt + own])).logits[0].float(), -1)
    by_hand = sum(float(logprobs[len(prompt) + place - 1, token]) for place, token in enumerate(own))
    assert together[0] == pytest.approx(by_hand, abs=1e-3)


def test_what_cannot_be_asked_is_said(smollm: ServedModel) -> None:
    prompter = smollm.prompter
    with pytest.raises(ValueError, match="reads at most"):
        prompter.letters(chat("word " * 9000), ("A", "B"))
    with pytest.raises(ValueError, match="tokens and 8000 to answer in"):
        prompter.chat(chat("word " * 300), 8000)
    with pytest.raises(ValueError, match="more than one token"):
        prompter.letters(chat("x"), ("A", "quite a long choice"))
    with pytest.raises(ValueError, match="no tokens"):
        prompter.continuations(chat("x"), ["a", ""])
    with pytest.raises(ValueError, match="text as content"):
        prompter.chat([{"role": "user", "content": 3}])  # type: ignore[dict-item]


SHAPE: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
}


@pytest.mark.parametrize(
    ("config", "shares"),
    [
        (LlamaConfig(**SHAPE), True),
        (MistralConfig(**SHAPE, sliding_window=12), True),
        (Gemma2Config(**SHAPE, sliding_window=12, query_pre_attn_scalar=8), True),
        (Qwen3Config(**SHAPE), True),
        (MambaConfig(vocab_size=300, hidden_size=32, state_size=4, num_hidden_layers=2), False),
    ],
    ids=lambda value: value.model_type if hasattr(value, "model_type") else str(value),
)
def test_every_kind_of_model_answers_as_alone(config: Any, shares: bool) -> None:
    """Windows and capped scores are shared exactly; a recurrent model gets batches of equal length."""
    torch.manual_seed(1)
    model = Auto.from_config(config).eval()
    for parameter in model.parameters():
        parameter.data.mul_(3)  # as made, these models say much the same of everything
    passes = Passes(model)
    assert passes.shares is shares
    shared = [7 * number % 300 for number in range(40)]
    tails = ([1], [1, 2, 3], [*range(20)], [*range(25, 5, -1)], [1])
    rows = [PromptRow([*shared, *tail], tuple((39 + len(tail), token) for token in range(0, 300, 7))) for tail in tails]
    together = passes.run(rows)
    for row, told in zip(rows, together, strict=True):
        with torch.inference_mode():
            by_hand = torch.log_softmax(model(torch.tensor([row.tokens])).logits[0, -1].float(), -1)
        assert told.logprobs == pytest.approx([float(by_hand[token]) for _, token in row.asked], abs=2e-4)
    assert together[0].logprobs != pytest.approx(together[2].logprobs, abs=0.01)
    wishes = [GenerationRequest([*shared[5 * number :], *tail], 6, top=3) for number, tail in enumerate(tails)]
    plain = SimpleNamespace(eos_token_id=None, decode=lambda tokens, skip_special_tokens: "")
    written = write(model, plain, wishes, lambda: [False] * len(wishes), passes.cached)
    for wish, told in zip(wishes, written, strict=True):
        (alone,) = write(model, plain, [wish], lambda: [False], lambda rows: None)
        assert told.tokens == alone.tokens
        assert told.logprobs == pytest.approx(alone.logprobs, abs=2e-4)


def test_rows_of_equal_length_go_together() -> None:
    assert list(equally_long([[1], [2, 2], [3], [4], [5, 5, 5]], 2)) == [[0, 2], [3], [1], [4]]


def test_the_check_finds_a_model_that_answers_otherwise_in_batches(smollm: ServedModel) -> None:
    other = ServedModel(smollm.model, smollm.tokenizer, check=2)
    rows = [smollm.prompter.letters(chat(text), ("A", "B", "C"))[0] for text in QUESTIONS]
    told = other.tell(rows)
    found = other.exactness()
    assert (found.checked, found.changed) == (2, 0) and found.largest_difference < 1e-4
    for each in told:
        each.logprobs.reverse()
    assert other.exactness().largest_difference > 0.01


def test_a_model_without_a_template_reads_the_text(smollm: ServedModel) -> None:
    class Plain:
        chat_template = None

        def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
            return {"input_ids": [ord(letter) for letter in text]}

    tokens = Prompter(Plain(), 100).chat([{"role": "system", "content": "be kind"}, *chat("hello")])
    assert "".join(map(chr, tokens)) == "be kind\n\nhello"
