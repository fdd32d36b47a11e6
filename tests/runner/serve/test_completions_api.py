"""Completions: the prompt's own log-probabilities are the model's, and their tokens spell the prompt."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

torch = pytest.importorskip("torch")

from aiohttp.test_utils import TestServer  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from openai import AsyncOpenAI  # noqa: E402
from small_tokenizers import tokenizer  # noqa: E402

from runner.serve.app import application  # noqa: E402
from runner.serve.completions_api import CompletionRequest, spellings  # noqa: E402
from runner.serve.model import ServedModel  # noqa: E402
from runner.serve.prompts import Prompter  # noqa: E402
from runner.serve.token_budget import TokenBudget  # noqa: E402

TEXT = "The capital of France is Paris — naïve, says Zoë 🙂."


@pytest.fixture
async def server(smollm: ServedModel) -> AsyncIterator[TestServer]:
    async with TestServer(application(smollm, "small", TokenBudget(4096))) as server:
        yield server


@pytest.mark.slow
async def test_an_echo_tells_what_the_model_says_of_each_token(server: TestServer, smollm: ServedModel) -> None:
    ids = smollm.tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logprobs = torch.log_softmax(smollm.model(torch.tensor([ids])).logits[0].float(), -1)
    by_hand = [float(logprobs[place, token]) for place, token in enumerate(ids[1:])]
    async with AsyncOpenAI(base_url=str(server.make_url("/v1")), api_key="none", max_retries=0) as client:
        for prompt in (TEXT, ids):
            found = await client.completions.create(
                model="small", prompt=prompt, max_tokens=1, temperature=0, echo=True, logprobs=2
            )
            (told,) = found.choices
            assert (
                told.logprobs and told.logprobs.token_logprobs and told.logprobs.tokens and told.logprobs.top_logprobs
            )
            assert told.logprobs.token_logprobs[0] is None and len(told.logprobs.tokens) == len(ids) + 1
            assert told.logprobs.token_logprobs[1:-1] == pytest.approx(by_hand, abs=1e-4)
            assert "".join(told.logprobs.tokens[:-1]) == TEXT and told.text.startswith(TEXT)
            assert told.logprobs.text_offset and told.logprobs.text_offset[-1] == len(TEXT)
            assert told.logprobs.token_logprobs[-1] == pytest.approx(float(logprobs[-1].max()), abs=1e-4)
            assert found.usage and (found.usage.prompt_tokens, found.usage.completion_tokens) == (len(ids), 1)
            for place, top in enumerate(told.logprobs.top_logprobs[1:-1]):
                assert max(top.values()) == pytest.approx(float(logprobs[place].max()), abs=1e-4)


@pytest.mark.slow
async def test_the_sum_over_a_continuation_is_the_log_likelihood(server: TestServer, smollm: ServedModel) -> None:
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    texts = [" Paris", "Rome, of course.", "\n\nIt is Oslo"]
    async with aiohttp.ClientSession(base_url=server.make_url("/")) as session:
        async with session.post("/v1/loglikelihood", json={"messages": messages, "continuations": texts}) as reply:
            wanted = (await reply.json())["logprobs"]
        rows = smollm.prompter.continuations(messages, texts)
        prompts = [[*row.tokens, row.asked[-1][1]] for row in rows]
        body = {"prompt": prompts, "max_tokens": 0, "echo": True, "logprobs": 0}
        async with session.post("/v1/completions", json=body) as reply:
            choices = (await reply.json())["choices"]
    assert [each["index"] for each in choices] == [0, 1, 2]
    found = [
        sum(each["logprobs"]["token_logprobs"][row.asked[0][0] + 1 :]) for each, row in zip(choices, rows, strict=True)
    ]
    assert found == pytest.approx(wanted, abs=1e-4)


@pytest.mark.slow
async def test_without_an_echo_it_goes_on_from_the_text(server: TestServer, smollm: ServedModel) -> None:
    text = "Paris is the capital of"
    ids = smollm.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        (whole,) = smollm.model.generate(ids, max_new_tokens=6, do_sample=False)
    ask = {"model": "small", "temperature": 0}
    async with AsyncOpenAI(base_url=str(server.make_url("/v1")), api_key="none", max_retries=0) as client:
        many = await client.completions.create(**ask, prompt=[text], max_tokens=6)  # type: ignore[call-overload]
        one = await client.completions.create(**ask, prompt=text, max_tokens=1)  # type: ignore[call-overload]
    assert many.choices[0].text == smollm.tokenizer.decode(whole[ids.shape[1] :])
    assert many.choices[0].text.startswith(one.choices[0].text) and one.choices[0].text
    assert many.choices[0].logprobs is None and many.choices[0].finish_reason == "length"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"prompt": "x " * 9000}, 400, "the model reads at most 8192"),
        ({"prompt": [7] * 9000, "echo": True}, 413, "8,192 are the most"),
        ({"prompt": [49_152_000]}, 400, "has no token 49152000"),
        ({"prompt": [-1]}, 400, "has no token -1"),
        ({"prompt": []}, 400, "no tokens"),
        ({"prompt": ""}, 400, "no tokens"),
        ({"prompt": [[]]}, 400, "no tokens"),
        ({"prompt": ["x"] * 257}, 413, "256 are the most"),
        ({"prompt": {"a": 1}}, 400, "prompt"),
        ({"prompt": "x", "logprobs": 21}, 400, "logprobs"),
        ({"prompt": "x", "suffix": "y"}, 400, "suffix is not supported"),
        ({}, 400, "prompt"),
    ],
)
async def test_what_is_wrong_is_said(server: TestServer, body: dict[str, object], status: int, message: str) -> None:
    url = server.make_url("/v1/completions")
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as reply:
        assert (reply.status, message in (await reply.json())["error"]["message"]) == (status, True), await reply.text()


@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="�"), min_size=1, max_size=40))
@pytest.mark.parametrize("kind", ["llama", "qwen"])
def test_the_tokens_of_any_text_spell_it(kind: str, text: str) -> None:
    made = _made(kind)
    tokens = made(text, add_special_tokens=False)["input_ids"]
    assert "".join(spellings(made, tokens)) == made.decode(
        tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False
    )


@pytest.mark.parametrize("kind", ["llama", "mistral", "gemma", "qwen"])
def test_what_is_put_before_a_text_is_spelt_as_nothing(kind: str) -> None:
    made = _made(kind)
    request = CompletionRequest.read({"prompt": "Is it true?", "max_tokens": 1, "echo": True, "logprobs": 1})
    found = request.read_prompt(Prompter(made, 512), "Is it true?")
    assert "".join(found.pieces) == found.text == "Is it true?" and len(found.pieces) == len(found.tokens)
    begins = made.bos_token_id is not None and found.tokens[0] == made.bos_token_id
    assert (found.pieces[0] == "") == begins


_known: dict[str, Any] = {}


def _made(kind: str) -> Any:
    if kind not in _known:
        _known[kind] = tokenizer(kind)
    return _known[kind]
