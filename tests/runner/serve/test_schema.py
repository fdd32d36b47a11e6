"""A JSON schema that is kept to: the local server writes one of the answers that it allows, and the likeliest."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from aiohttp.test_utils import TestServer  # noqa: E402
from openai import AsyncOpenAI, BadRequestError  # noqa: E402

from runner.backends.catalogue.answer_forms import parameters_for  # noqa: E402
from runner.serve.app import application  # noqa: E402
from runner.serve.chat_api import allowed_answers  # noqa: E402
from runner.serve.generation import GenerationRequest  # noqa: E402
from runner.serve.model import ServedModel  # noqa: E402
from runner.serve.token_budget import TokenBudget  # noqa: E402
from scoring.answers.items import Item, option_order, question_text  # noqa: E402

CITIES = ("London", "Paris", "Rome", "Oslo")
QUESTIONS = [
    Item(str(number), "t", "1", text, CITIES, str(number), elicitation="json")
    for number, text in enumerate(["What is the capital of France?", "Where is the Colosseum?", "Where do you live?"])
]
FORM = parameters_for("local", {}, QUESTIONS[0])["response_format"]


def messages(item: Item) -> list[dict[str, str]]:
    return [{"role": "user", "content": question_text(item, option_order(item))}]


def test_what_may_follow_is_what_goes_on_with_an_allowed_answer() -> None:
    wanted = GenerationRequest([1], 8, allowed=((5, 6, 7), (5, 6, 8), (5, 9)))
    assert wanted.may_follow([]) == {5} and wanted.may_follow([5]) == {6, 9} and wanted.may_follow([5, 6]) == {7, 8}
    assert (
        wanted.may_follow([5, 9]) == set() == wanted.may_follow([4])
        and GenerationRequest([1], 8).may_follow([]) is None
    )


def test_only_a_schema_whose_answers_can_be_counted_is_taken() -> None:
    assert allowed_answers(FORM) == tuple(f'{{"answer": "{letter}"}}' for letter in "ABCD")
    assert allowed_answers(None) == allowed_answers({"type": "text"}) == ()
    schema = FORM["json_schema"]["schema"]
    others: list[Any] = [
        {"type": "json_object"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"schema": {}}},
        {**FORM, "json_schema": {"schema": {**schema, "required": []}}},
        {**FORM, "json_schema": {"schema": {**schema, "properties": {"answer": {"type": "string"}}}}},
        {**FORM, "json_schema": {"schema": {**schema, "properties": {"answer": {"enum": [1, 2]}}}}},
        {**FORM, "json_schema": {"schema": {**schema, "properties": {"answer": {"enum": ["x"] * 65}}}}},
    ]  # fmt: skip
    for other in others:
        with pytest.raises(ValueError, match="one required key"):
            allowed_answers(other)


@pytest.fixture
async def client(smollm: ServedModel) -> AsyncIterator[AsyncOpenAI]:
    async with TestServer(application(smollm, "small", TokenBudget(4096))) as server:
        url = str(server.make_url("/v1"))
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            yield client


@pytest.mark.slow
async def test_the_letter_is_the_likeliest_one_and_others_in_the_batch_write_as_before(
    smollm: ServedModel, client: AsyncOpenAI
) -> None:
    async def ask(item: Item, **changes: Any) -> str:
        found = await client.chat.completions.create(
            model="small", messages=messages(item), max_tokens=12, temperature=0, **changes
        )
        return found.choices[0].message.content or ""

    free = [await ask(item) for item in QUESTIONS]
    formed = [ask(item, response_format=FORM) for item in QUESTIONS]
    told = await asyncio.gather(*formed, *map(ask, QUESTIONS))
    assert told[len(QUESTIONS) :] == free
    answers = [smollm.prompter.tokens(f'{{"answer": "{letter}"}}') for letter in "ABCD"]
    place = next(at for at, each in enumerate(zip(*answers, strict=True)) if len(set(each)) > 1)
    for item, text in zip(QUESTIONS, told, strict=False):
        prompt = smollm.prompter.chat(messages(item), 12) + answers[0][:place]
        with torch.inference_mode():
            logits = smollm.model(torch.tensor([prompt])).logits[0, -1]
        likeliest = max(range(4), key=lambda letter: float(logits[answers[letter][place]]))
        assert json.loads(text) == {"answer": "ABCD"[likeliest]}


@pytest.mark.slow
async def test_another_schema_is_a_bad_request(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError, match="one required key"):
        await client.chat.completions.create(
            model="small", messages=messages(QUESTIONS[0]), max_tokens=9, response_format={"type": "json_object"}
        )
