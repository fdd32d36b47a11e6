"""Log-likelihoods by completions are those that a local model tells: for real items behind real people, as the study
asks them, and so are the official scores made of them."""

import copy
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

torch = pytest.importorskip("torch")

from aiohttp.test_utils import TestServer  # noqa: E402
from studies import model, rows  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from runner.backends.compatible import CompatibleBackend  # noqa: E402
from runner.backends.errors import BadRequest  # noqa: E402
from runner.crossing.prepare import prepared  # noqa: E402
from runner.crossing.trials import Asked  # noqa: E402
from runner.engine.run import run  # noqa: E402
from runner.serve.app import application  # noqa: E402
from runner.serve.model import ServedModel  # noqa: E402
from runner.serve.token_budget import TokenBudget  # noqa: E402
from runner.study.config import Study  # noqa: E402
from scoring.answers.metrics import score_item  # noqa: E402

pytestmark = pytest.mark.slow

ID = "smollm2-135m-instruct"
ROUNDING = 3e-4  # of a sum over some dozens of tokens, in float32, between one batch and another
PARTS = {"crows_pairs": ["loglik"], "truthfulqa_v0": ["mc1_loglik", "mc2_loglik"]}


@pytest.fixture(scope="module")
def small(smollm: ServedModel) -> ServedModel:
    """Made-up weights behind the real tokenizer: they are as hard to agree with, and tell a token in a thousandth of
    the time."""
    torch.manual_seed(5)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    net = LlamaForCausalLM(LlamaConfig(vocab_size=len(smollm.tokenizer), max_position_embeddings=4096, **shape)).eval()
    for parameter in net.parameters():
        parameter.data.mul_(8)  # as made, every token is as likely as any other
    return ServedModel(net, smollm.tokenizer)


@pytest.fixture
async def url(small: ServedModel) -> AsyncIterator[str]:
    async with TestServer(application(small, ID, TokenBudget(4096))) as server:
        yield str(server.make_url("/v1"))


@pytest.fixture(scope="module")
def plain(small: ServedModel) -> ServedModel:
    """The same weights without a chat template, as a base model has none."""
    tokenizer = copy.deepcopy(small.tokenizer)
    tokenizer.chat_template = None
    return ServedModel(small.model, tokenizer)


def study(folder: Path, **table: Any) -> Study:
    """One person, of whom little is told, and nobody; a group of each part."""
    asked = [{"name": name, "part": part, "groups": 1} for name, parts in PARTS.items() for part in parts]
    people = {"sources": ["starter_gss2018"], "n": 1, "traits": ["age", "gender", "education"]}
    tables = {"study": {"name": "study", "database": "study.sqlite"}, "personas": people, "benchmarks": asked}
    return Study.from_dict({**tables, "models": [table]}, folder / "study.toml")


def compatible(url: str, **endpoint: Any) -> dict[str, Any]:
    return model(url, id=ID, answer="probabilities", decoding={}, endpoint={"loglikelihoods": "echo", **endpoint})


def trials(asked: Study) -> Iterator[Asked]:
    with prepared(asked) as ready:
        yield from ready.crossing.trials(ready.crossing.models[0])


async def told(url: str, asked: Asked) -> list[float]:
    """What the local backend gets for a trial."""
    body = {"messages": list(asked.request.messages), "continuations": list(asked.request.options)}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/loglikelihood", json=body) as reply:
        found: list[float] = (await reply.json())["logprobs"]
        return found


async def test_by_token_ids_they_are_the_local_models(url: str, tmp_path: Path) -> None:
    asked = study(tmp_path, **compatible(url, tokenizer=ID))
    state = await run(asked)
    assert state.exit_code == 0, state.remarks
    sql = "SELECT lower(hex(c.key)), s.value FROM score AS s JOIN completion AS c ON c.id = s.completion"
    kept = dict(rows(tmp_path, sql))
    backend, checked = CompatibleBackend(asked.models[0], lambda headers: None), 0
    try:
        for trial in trials(asked):
            wanted = await told(url, trial)
            answer = await backend.answer(trial.request)
            assert answer.response.logliks == pytest.approx(wanted, abs=ROUNDING)
            outcome = score_item(trial.question.item, trial.order, answer.response)
            assert outcome.value == pytest.approx(_official(trial, wanted), abs=1e-4)
            assert kept[trial.request.key.hex()] == pytest.approx(outcome.value, abs=1e-4)
            assert answer.usage.known and answer.served == ID
            checked += 1
    finally:
        await backend.close()
    assert checked == 2 * 3


def _official(trial: Asked, logliks: list[float]) -> float:
    """MC1, MC2 and CrowS-Pairs' preference by hand, as their papers define them."""
    item, numbers = trial.question.item, torch.tensor(logliks, dtype=torch.float64)
    if item.weights is None:
        return float(numbers[0] > numbers[1])
    true = torch.tensor(item.weights, dtype=torch.float64) > 0
    if item.part == "mc1_loglik":
        return float(true[numbers.argmax()])
    return float(torch.softmax(numbers, 0)[true].sum())


async def test_by_text_they_are_those_of_a_model_without_a_template(plain: ServedModel, tmp_path: Path) -> None:
    async with TestServer(application(plain, ID, TokenBudget(4096))) as server:
        url = str(server.make_url("/v1"))
        asked = study(tmp_path, **compatible(url))
        backend, alone = CompatibleBackend(asked.models[0], lambda headers: None), 0
        try:
            for trial in trials(asked):
                if trial.persona is None and trial.question.item.benchmark == "crows_pairs":
                    with pytest.raises(
                        BadRequest, match=r"nothing stands before the continuation.*endpoint\.tokenizer"
                    ):
                        await backend.answer(trial.request)  # this tokenizer puts no beginning-of-text token there
                    alone += 1
                    continue
                answer = await backend.answer(trial.request)
                assert answer.response.logliks == pytest.approx(await told(url, trial), abs=ROUNDING)
        finally:
            await backend.close()
    assert alone == 1
