"""Tokens as each kind of tokenizer expects them: small ones, built as Llama's, Mistral's, Gemma's and Qwen's are."""

import math
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from small_tokenizers import CHATML, tokenizer  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from runner.serve.forward import Passes  # noqa: E402
from runner.serve.prompts import Prompter, summed_spellings  # noqa: E402


def model(size: int) -> Any:
    torch.manual_seed(3)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    found = LlamaForCausalLM(LlamaConfig(vocab_size=size, max_position_embeddings=512, **shape)).eval()  # type: ignore[arg-type]
    for parameter in found.parameters():
        parameter.data.mul_(3)
    return found


def ask(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def harness(tokenizer: Any, model: Any, context: str, continuation: str) -> float:
    """The log-likelihood as lm-evaluation-harness's `hf` model documents it (lm_eval 0.4.13): the context's trailing
    spaces go to the continuation, both are encoded together, the continuation is what is longer."""
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id

    def encode(text: str) -> list[int]:
        if text.startswith(tokenizer.decode(first)):
            return list(tokenizer.encode(text, add_special_tokens=False))
        return list(tokenizer.encode(text))

    if context:
        spaces = len(context) - len(context.rstrip())
        whole, known = encode(context + continuation), encode(context[: len(context) - spaces])
        own = whole[len(known) :]
    else:
        known, own = [first], list(tokenizer.encode(continuation, add_special_tokens=False))
    with torch.inference_mode():
        logprobs = torch.log_softmax(model(torch.tensor([(known + own)[:-1]])).logits[0].float(), -1)
    return sum(float(logprobs[len(known) - 1 + place, token]) for place, token in enumerate(own))


@pytest.mark.parametrize("template", [None, CHATML, "{{ bos_token }}" + CHATML])
@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma", "qwen"])
def test_log_likelihoods_are_the_harnesss(kind: str, template: str | None) -> None:
    made = tokenizer(kind, template)
    net = model(len(made))
    prompter, passes = Prompter(made, 512), Passes(net)
    texts = [" Paris", " Oslo and Bern", "Rome", "\nA: No", " zürich"]
    for asked in (
        "Q: What is the capital of France?\nA:",
        "A: Yes. ",
        "What is\n\n",
        "" if template is None else "Is it?",
    ):
        rows = prompter.continuations(ask(asked), texts)
        found = [sum(told.logprobs) for told in passes.run(rows)]
        written = prompter.written(ask(asked))
        assert template is not None or written == asked, "nothing stands between the prompt and its continuation"
        assert found == pytest.approx([harness(made, net, written, text) for text in texts], abs=1e-4)


@pytest.mark.parametrize("template", [None, CHATML, "{{ bos_token }}" + CHATML])
@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma"])
def test_a_beginning_of_text_stands_there_as_often_as_it_is_wanted(kind: str, template: str | None) -> None:
    made = tokenizer(kind, template)
    tokens = Prompter(made, 512).chat([{"role": "system", "content": "Be brief."}, *ask("Is it true?")])
    wanted = kind != "mistral" or (template or "").startswith("{{ bos")
    assert (tokens.count(made.bos_token_id), tokens[0] == made.bos_token_id) == (int(wanted), wanted)


@pytest.mark.parametrize("prompt", ["Is it? only.", "Answer:", "Answer: ", "Is it true?\n"])
@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma", "qwen"])
def test_a_letter_is_spelt_as_it_follows_the_prompt(kind: str, prompt: str) -> None:
    made = tokenizer(kind)
    net = model(len(made))
    prompter = Prompter(made, 512)
    row, counts = prompter.letters(ask(prompt), ("A", "B", "C"))
    (told,) = Passes(net).run([row])
    found = [math.exp(each) for each in summed_spellings(told.logprobs, counts)]
    whole = {text: prompter.prompt(prompt + text) for letter in "ABC" for text in (letter, f" {letter}")}
    for letter, probability in zip("ABC", found, strict=True):
        assert whole[letter][: len(row.tokens)] == row.tokens, "the prompt as it stands before the letter"
        follows = {ids[-1] for text, ids in whole.items() if text.strip() == letter and ids[:-1] == row.tokens}
        assert whole[letter][-1] in follows
        with torch.inference_mode():
            by_hand = torch.softmax(net(torch.tensor([row.tokens])).logits[0, -1].float(), -1)
        assert probability == pytest.approx(float(by_hand[sorted(follows)].sum()), abs=1e-5)
    if prompt.endswith("\n") and kind != "qwen":
        bare = made.convert_tokens_to_ids(["A", "B", "C"])
        assert set(bare) <= {token for _, token in row.asked}, "behind a newline there is no space to take along"


@pytest.mark.parametrize(
    ("opens", "closes"),
    [
        ("<think>\n", "</think>"),
        ("<seed:think>", "</seed:think>"),
        ("[THINK]", "[/THINK]"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("◁think▷\n", "◁/think▷"),
    ],
)
def test_a_template_that_opens_thinking_is_closed(opens: str, closes: str) -> None:
    prompter = Prompter(tokenizer("qwen", f"{CHATML}{opens}"), 512)
    assert prompter.written(ask("What does <think> mean?")).endswith(f"{opens.strip()}\n\n{closes}\n\n")
    done = Prompter(tokenizer("qwen", f"{CHATML}{opens}{closes}\n"), 512).written(ask("Hi"))
    assert done.count(closes) == 1
    assert prompter.written(ask("x")).count(opens.strip()) == 1


def test_what_no_template_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match="opens its thinking"):
        Prompter(tokenizer("qwen", CHATML + "<|channel|>analysis<|message|>"), 512).chat(ask("Hi"))
    with pytest.raises(ValueError, match="none is its default"):
        Prompter(tokenizer("qwen", {"rag": "x", "tool_use": "y"}), 512).chat(ask("Hi"))
    with pytest.raises(ValueError, match="has no tokens"):
        Prompter(tokenizer("llama"), 512).continuations(ask("Hi"), [""])


@pytest.mark.parametrize("template", ["{{ tools | length }}", "{{ 1 // 0 }}", "{{ range(10 ** 9) | join }}"])
def test_whatever_goes_wrong_in_a_template_is_said_of_it(template: str) -> None:
    with pytest.raises(ValueError, match="chat template refuses these messages"):
        Prompter(tokenizer("llama", template), 64).chat(ask("Is it?"))


@pytest.mark.parametrize(
    ("template", "lost"),
    [
        ("{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}", "system"),
        ("{{ messages[0].content }}", "user"),
        ("{% for m in messages %}{{ m.role }}: {{ m.content | lower }}{% endfor %}", "system"),
    ],
)
def test_a_template_that_leaves_out_a_message_is_refused(template: str, lost: str) -> None:
    messages = [{"role": "system", "content": " You are Ann.\n"}, *ask("Is it?")]
    with pytest.raises(ValueError, match=f"leaves out or rewrites the {lost} message"):
        Prompter(tokenizer("llama", template), 64).chat(messages)
    trimmed = "{% for m in messages %}{{ m.role }}: {{ m.content | trim }}{% endfor %}"
    assert Prompter(tokenizer("llama", trimmed), 64).written(messages).startswith("system: You are Ann.user: ")
