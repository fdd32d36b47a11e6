"""Prompts a second of the local server against other ways to ask the same model the same multiple-choice prompts.

    python tests/bench/local.py [--prompts 96] [--threads 1] [--dtype bfloat16]
    python tests/bench/local.py --random-weights llama-3.2-1b        # on a GPU: shapes only, no weights needed

Real BBQ and TruthfulQA questions behind real personas, SmolLM2-135M-Instruct. In one run: (a) `generate` of three
tokens, one prompt at a time; (b) length-sorted padded batches without sharing; (c) lm-evaluation-harness's `hf` model,
where lm-eval is installed; (d) llama.cpp's server on the same GGUF with prompt caching, where xllamacpp is installed;
(e) the time that the distinct tokens' matrix products take by themselves. Every way runs on `--threads` cores.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("MTPA_DATA_DIR", str(Path(__file__).resolve().parents[3] / "shared" / "data"))

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
STUDY = """
[study]
name = "local"
database = "local.sqlite"
[personas]
sources = ["starter_gss2018"]
n = {people}
traits = "all"
[[benchmarks]]
name = "bbq"
groups = 6
[[benchmarks]]
name = "truthfulqa_v0"
part = "mc1_letter"
groups = 8
[[models]]
name = "small"
backend = "local"
id = "smollm2-135m-instruct"
dtype = "{dtype}"
"""
SHAPES = {"llama-3.2-1b": (2048, 8192, 16), "llama-3.1-8b": (4096, 14_336, 32)}  # hidden, intermediate, layers


def real_requests(count: int, dtype: str) -> tuple[Any, list[Any]]:
    """The model's identity, and requests of a study, persona by persona."""
    from runner.crossing.prepare import prepared
    from runner.study.config import Study

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text(STUDY.format(people=max(2, count // 32), dtype=dtype))
        with prepared(Study.load(path)) as ready:
            model = ready.crossing.models[0]
            asked = [each.request for each in ready.crossing.trials(model) if each.persona is not None]
            return model, [each for each in asked if each.kind == "letters"][:count]


async def through_the_server(model: Any, requests: Sequence[Any]) -> list[str]:
    """What a study does: a server process, `concurrency` requests in flight over its socket. Times itself when warm."""
    from runner.backends.local import LocalBackend

    backend = LocalBackend(model.section, model.identity)
    answers: dict[int, str] = {}
    waiting = iter(enumerate(requests))
    try:
        await backend.answer(requests[0])

        async def work() -> None:
            for number, request in waiting:
                found = (await backend.answer(request)).response.letter_logprobs
                answers[number] = request.options[found.index(max(found))]

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(model.section.concurrency)))
        through_the_server.seconds = time.perf_counter() - began  # type: ignore[attr-defined]
        print("   ", await backend.exactness())
    finally:
        await backend.close()
    return [answers[number] for number in range(len(requests))]


def one_at_a_time(model: Any, tokenizer: Any, rows: Sequence[Sequence[int]]) -> list[str]:
    """(a) Three tokens by `generate`, the paper's protocol."""
    import torch

    answers = []
    for row in rows:
        ids = torch.tensor([row], device=model.device)
        mask = torch.ones_like(ids)
        with torch.inference_mode():
            found = model.generate(ids, attention_mask=mask, max_new_tokens=3, do_sample=False, pad_token_id=0)
        answers.append(tokenizer.decode(found[0, len(row) :]).strip()[:1] if tokenizer else "")
    return answers


def padded(
    model: Any, rows: Sequence[Sequence[int]], spelt: Sequence[Sequence[int]], counts: Sequence[int], size: int = 16
) -> list[str]:
    """(b) Batches of prompts sorted by length, padded on the left, the last position's letters."""
    import torch

    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    answers = [""] * len(rows)
    for start in range(0, len(rows), size):
        batch = order[start : start + size]
        width = max(len(rows[number]) for number in batch)
        pads = [width - len(rows[number]) for number in batch]
        ids = torch.tensor([[0] * pad + list(rows[number]) for number, pad in zip(batch, pads, strict=True)])
        mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in pads])
        places = (mask.cumsum(-1) - 1).clamp(min=0)
        where = {"attention_mask": mask.to(model.device), "position_ids": places.to(model.device)}
        with torch.inference_mode():
            logits = model(ids.to(model.device), **where, use_cache=False, logits_to_keep=1).logits[:, -1]
        for number, row in zip(batch, torch.softmax(logits.float(), -1), strict=True):
            masses = [float(row[list(ids)].sum()) for ids in spelt[: counts[number]]]
            answers[number] = LETTERS[masses.index(max(masses))]
    return answers


def lm_eval_hf(model: Any, tokenizer: Any, texts: Sequence[str], counts: Sequence[int]) -> list[str]:
    """(c) lm-evaluation-harness: log-likelihoods of the letters behind each prompt."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    harness = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=16, add_bos_token=False)
    instances = [
        Instance("loglikelihood", {}, (text, letter), number)
        for number, (text, count) in enumerate(zip(texts, counts, strict=True))
        for letter in LETTERS[:count]
    ]
    found = iter([value for value, _ in harness.loglikelihood(instances, disable_tqdm=True)])
    masses = [[next(found) for _ in range(count)] for count in counts]
    return [LETTERS[each.index(max(each))] for each in masses]


def llama_server(gguf: Path, texts: Sequence[str], threads: int) -> tuple[float, list[str]]:
    """(d) llama.cpp's own server, prompts in the study's order, its prompt cache on: seconds when warm, and answers."""
    import json
    import urllib.request

    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(gguf)
    settings.n_parallel, settings.n_ctx, settings.port = 1, 4096, 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(settings)

    def ask(text: str) -> str:
        body = {"prompt": text, "n_predict": 1, "temperature": 0, "cache_prompt": True, "n_probs": 20}
        request = urllib.request.Request(f"{server.listening_address}/completion", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=300) as reply:
            return str(json.loads(reply.read())["content"]).strip()[:1]

    ask(texts[0])
    began = time.perf_counter()
    answers = [ask(text) for text in texts]
    return time.perf_counter() - began, answers


def matrix_seconds(model: Any, tokens: int) -> float:
    """(e) The model's own matrix products for so many tokens, 2048 at a time, and nothing else."""
    import torch

    layers = [
        module for name, module in model.named_modules() if isinstance(module, torch.nn.Linear) and "head" not in name
    ]
    inputs = {
        width: torch.randn(2048, width, dtype=model.dtype, device=model.device)
        for width in {each.in_features for each in layers}
    }

    def run() -> float:
        began = time.perf_counter()
        with torch.inference_mode():
            for layer in layers:
                layer(inputs[layer.in_features])
            if model.device.type == "cuda":
                torch.cuda.synchronize()
        return time.perf_counter() - began

    run()
    return statistics.median(run() for _ in range(3)) * tokens / 2048


def distinct(rows: Sequence[Sequence[int]]) -> int:
    """Tokens of all rows, each common prefix once."""
    from runner.serve.prefix_tree import common

    ranked = sorted(list(row) for row in rows)
    return sum(map(len, ranked)) - sum(common(*pair) for pair in pairwise(ranked))


def timed(job: Callable[[], list[str]]) -> tuple[float, list[str]]:
    """Seconds and answers."""
    began = time.perf_counter()
    answers = job()
    return time.perf_counter() - began, answers


def compare(count: int, threads: int, dtype: str, ways: Sequence[str]) -> None:
    """All ways on the same prompts, in prompts a second."""
    import torch

    from runner.backends.local import weights
    from runner.serve.loading import load
    from runner.serve.prompts import Prompter

    asked, requests = real_requests(count, dtype)
    source, gguf = weights(asked.section.id)
    torch.set_num_threads(threads)
    model, tokenizer = load(source, gguf, None, dtype, "cpu")
    prompter = Prompter(tokenizer, 8192)
    rows = [prompter.chat(each.messages) for each in requests]
    texts = [tokenizer.decode(row) for row in rows]
    counts = [len(each.options) for each in requests]
    spelt = [[prompter.tokens(text)[0] for text in (letter, f" {letter}")] for letter in LETTERS]
    few = slice(0, max(8, count // 8))
    tokens, needed = sum(map(len, rows)), distinct(rows)
    print(f"{count} prompts of {tokens / count:.0f} tokens, {needed / count:.0f} distinct; {dtype}, {threads} core(s)")
    limit = matrix_seconds(model, needed)
    rates: dict[str, float] = {}
    answers: dict[str, list[str]] = {}

    def note(name: str, seconds: float, found: list[str]) -> None:
        rates[name], answers[name] = len(found) / seconds, found
        print(f"{name:40} {rates[name]:8.2f} prompts/s", flush=True)

    found = asyncio.run(through_the_server(asked, requests))
    note("mtpa server", through_the_server.seconds, found)  # type: ignore[attr-defined]
    if "a" in ways:
        note("(a) generate(3), one at a time", *timed(lambda: one_at_a_time(model, tokenizer, rows[few])))
    if "b" in ways:
        note("(b) padded batches of 16", *timed(lambda: padded(model, rows, spelt, counts)))
    for name, module, job in (
        ("(c) lm-eval hf", "lm_eval", lambda: timed(lambda: lm_eval_hf(model, tokenizer, texts, counts))),
        ("(d) llama.cpp server", "xllamacpp", lambda: llama_server(source / gguf, texts, threads)),
    ):
        if name[1] in ways:
            try:
                note(name, *job())
            except ModuleNotFoundError:
                print(f"{name:40} not measured: {module} is not installed")
    ours = rates["mtpa server"]
    for name, rate in rates.items():
        same = sum(one == other for one, other in zip(answers[name], answers["mtpa server"], strict=False))
        print(f"  mtpa / {name:38} {ours / rate:6.2f} x; same letter {same} of {len(answers[name])}")
    print(f"  mtpa / (e) matrix products alone            {ours * limit / count:6.2f}")


def shapes(name: str, people: int, questions: int, device: str) -> None:
    """A model of random weights on random tokens: prompts a second and the share of the matrix rate."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig, LlamaConfig

    from runner.serve.batcher import QueuedWork, fill
    from runner.serve.forward import Passes
    from runner.serve.prompts import PromptRow
    from runner.serve.token_budget import START

    hidden, intermediate, layers = SHAPES[name]
    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128_256,
        max_position_embeddings=8192,
    )
    dtype = torch.float16 if device == "cuda" else torch.float32
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    random = torch.Generator().manual_seed(0)

    def ids(count: int) -> list[int]:
        return torch.randint(1000, 100_000, (count,), generator=random).tolist()

    tails = [ids(80) for _ in range(questions)]
    rows = [[*persona, *tail] for persona in (ids(250) for _ in range(people)) for tail in tails]
    passes, spelt = Passes(model), [[32], [33], [34]]

    async def ours() -> list[str]:
        waiting = [QueuedWork(PromptRow(row, ((len(row) - 1, 32),)), number) for number, row in enumerate(rows)]
        while waiting:
            batch = fill(waiting, START[device])
            passes.run([entry.asked for entry in batch])
            gone = {entry.number for entry in batch}
            waiting = [entry for entry in waiting if entry.number not in gone]
        return [""] * len(rows)

    asyncio.run(ours())  # kernels are chosen at first use
    few = rows[:: max(1, len(rows) // 32)]
    rates = {"mtpa": len(rows) / timed(lambda: asyncio.run(ours()))[0]}
    rates["(a) generate(3), one at a time"] = len(few) / timed(lambda: one_at_a_time(model, None, few))[0]
    rates["(b) padded batches of 16"] = len(rows) / timed(lambda: padded(model, rows, spelt, [3] * len(rows)))[0]
    settings = GenerationConfig(max_new_tokens=1, do_sample=False, eos_token_id=0, pad_token_id=0)
    if device == "cuda":
        job = lambda: list(model.generate_batch(rows, generation_config=settings))  # noqa: E731
        rates["transformers' continuous batching"] = len(rows) / timed(job)[0]
    for way, rate in rates.items():
        print(f"{way:40} {rate:10.1f} prompts/s   mtpa is {rates['mtpa'] / rate:6.2f} x")
    needed = matrix_seconds(model, distinct(rows))
    print(
        f"of the matrix rate on the distinct tokens: {needed * rates['mtpa'] / len(rows):.2f}; shares: {passes.shares}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--ways", default="abcd", help="which of a, b, c and d to compare with")
    parser.add_argument("--random-weights", choices=sorted(SHAPES))
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--questions", type=int, default=64)
    chosen = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-chosen.threads :])
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
    if chosen.random_weights:
        import torch

        shapes(chosen.random_weights, chosen.people, chosen.questions, "cuda" if torch.cuda.is_available() else "cpu")
    else:
        compare(chosen.prompts, chosen.threads, chosen.dtype, chosen.ways)
