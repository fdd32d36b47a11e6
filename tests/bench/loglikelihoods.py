"""Log-likelihoods by completions against other ways to the same numbers, for one model on this machine.

    python tests/bench/loglikelihoods.py [--questions 6] [--harness PYTHON] [--llama PYTHON]

Real TruthfulQA questions with their official primer, and real CrowS-Pairs behind a person of the GSS, asked of
`mtpa-run serve` (SmolLM2-135M-Instruct, float32) by the `openai-compatible` backend. A row for each way that it is
compared with: the local backend's own service; the official MC2 of lm-evaluation-harness (`local-completions`, its own
prompts and its own sums, through the same server), where PYTHON has lm_eval with its api extra; llama.cpp on the same
GGUF (it rounds what the weights are multiplied with, too) and on its weights as 32-bit numbers, by its logits, and by
llama-cpp-python's server with a beginning-of-text token and without, where PYTHON has llama_cpp with its server extra.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("MTPA_DATA_DIR", str(ROOT.parent / "shared" / "data"))

import torch

from runner.backends.compatible import CompatibleBackend
from runner.backends.errors import BackendError
from runner.backends.likelihoods.continuations import TokenWriter
from runner.backends.local import weights
from runner.crossing.prepare import prepared
from runner.crossing.trials import Asked
from runner.study.config import Study

ID = "smollm2-135m-instruct"
HARNESS = """
import json, sys
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
folder, url, tokenizer = sys.argv[1:]
found = simple_evaluate(
    model="local-completions", tasks=["mc2_here"], task_manager=TaskManager(include_path=folder), log_samples=True,
    model_args=dict(base_url=url + "/completions", model="m", tokenizer=tokenizer, tokenizer_backend="huggingface",
                    num_concurrent=4, max_length=2048, batch_size=1), bootstrap_iters=0)
told = [[each["doc_id"], each["acc"], [pair[0] for pair in each["filtered_resps"]]]
        for each in found["samples"]["mc2_here"]]
print("FOUND" + json.dumps(told))
"""
TASK = """
include: {include}
task: mc2_here
dataset_path: json
dataset_name: null
dataset_kwargs:
  data_files:
    validation: {data}
"""
LLAMA = """
import json, sys
import numpy as np
from llama_cpp import Llama
model = Llama(sys.argv[1], logits_all=True, n_ctx=2048, n_threads=1, verbose=False)
for line in sys.stdin:
    ids, begins = json.loads(line)
    model.reset()
    model.eval(ids)
    logits = np.asarray(model.scores[: len(ids)], dtype=np.float64)
    logits -= logits.max(-1, keepdims=True)
    logprobs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    print("FOUND" + json.dumps([logprobs[place - 1, ids[place]] for place in range(begins, len(ids))]))
"""

WIDEN = """
import ctypes, sys, llama_cpp
wanted = llama_cpp.llama_model_quantize_default_params()
wanted.ftype, wanted.allow_requantize = llama_cpp.LLAMA_FTYPE_ALL_F32, True
sys.exit(llama_cpp.llama_model_quantize(sys.argv[1].encode(), sys.argv[2].encode(), ctypes.byref(wanted)))
"""


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], port: int, path: str) -> Iterator[str]:
    """A server in a process of its own, once it answers."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{command[:4]} does not serve") from None
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)


def study(folder: Path, url: str, groups: int, **endpoint: Any) -> Study:
    """MC2 questions, and pairs behind one person."""
    model = {
        "name": "m",
        "backend": "openai-compatible",
        "id": ID,
        "base_urls": [url],
        "answer": "probabilities",
        "endpoint": {"loglikelihoods": "echo", **endpoint},
    }
    asked = [
        {"name": "truthfulqa_v0", "part": "mc2_loglik", "groups": groups},
        {"name": "crows_pairs", "part": "loglik", "groups": groups},
    ]
    people = {"sources": ["starter_gss2018"], "n": 1, "traits": "all"}
    tables = {"study": {"name": "s"}, "personas": people, "benchmarks": asked, "models": [model]}
    return Study.from_dict(tables, folder / "s.toml")


def trials(asked: Study) -> tuple[list[Asked], list[Asked]]:
    """MC2 questions of nobody, and pairs of somebody."""
    with prepared(asked) as ready:
        every = list(ready.crossing.trials(ready.crossing.models[0]))
    mc2 = [each for each in every if each.persona is None and each.question.item.weights]
    return mc2, [each for each in every if each.persona is not None and not each.question.item.weights]


async def asked_of(model: Any, rows: Sequence[Asked]) -> list[list[float] | str]:
    """What the backend has for each trial: numbers, or why it has none."""
    backend, found = CompatibleBackend(model, lambda headers: None), list[list[float] | str]()
    try:
        for each in rows:
            try:
                found.append(list((await backend.answer(each.request)).response.logliks or ()))
            except BackendError as error:
                found.append(str(error))
    finally:
        await backend.close()
    return found


def posted(url: str, body: dict[str, Any]) -> Any:
    """The JSON that a service answers with."""
    sent = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent, timeout=300) as reply:
        return json.load(reply)


def largest(one: Sequence[Any], other: Sequence[Any]) -> str:
    """The largest difference of two ways to the same numbers, in words."""
    pairs = [(a, b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)]
    return f"{max(abs(a - b) for a, b in pairs):.2e} at most over {len(pairs)} texts"


def mc2(row: Asked, logliks: Sequence[float]) -> float:
    """The share of probability on the true answers."""
    true = torch.tensor([weight > 0 for weight in row.question.item.weights or ()])
    return float(torch.softmax(torch.tensor(logliks, dtype=torch.float64), 0)[true].sum())


def against_harness(python: str, url: str, rows: Sequence[Asked], ours: Sequence[Any], tokenizer: Path) -> None:
    """The official MC2 of the harness's own task, on the same questions."""
    where = (
        "import lm_eval.tasks as t, pathlib; print(pathlib.Path(t.__file__).parent / 'truthfulqa/truthfulqa_mc2.yaml')"
    )
    include = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = []
        for each in rows:
            item = each.question.item
            labels = [int(weight > 0) for weight in item.weights or ()]
            targets = {"choices": list(item.choices), "labels": labels}
            records.append({"question": item.meta["question"], "mc1_targets": targets, "mc2_targets": targets})
        (folder / "data.json").write_text("\n".join(map(json.dumps, records)))
        (folder / "task.yaml").write_text(TASK.format(include=include.splitlines()[-1], data=folder / "data.json"))
        command = [python, "-c", HARNESS, str(folder), url, str(tokenizer)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    lines = [line for line in done.stdout.splitlines() if line.startswith("FOUND")]
    if not lines:
        raise SystemExit(done.stderr[-2000:])
    told = sorted(json.loads(lines[0].removeprefix("FOUND")))
    theirs = [logliks for _, _, logliks in told]
    print(f"lm-evaluation-harness: log-likelihoods differ by {largest(ours, theirs)}")
    for row, own, (_, score, _) in zip(rows, ours, told, strict=True):
        print(f"  MC2 of {row.question.item.id}: {mc2(row, own):.6f} here, {score:.6f} there")


def against_llama(python: str, gguf: Path, url: str, rows: Sequence[Asked], folder: Path) -> None:
    """llama.cpp's logits of the same tokens; then llama-cpp-python's server, with and without a first token."""
    source, name = weights(ID)
    writer = TokenWriter.load(source, name)
    sent = [writer.written(each.request) for each in rows]
    lines = "".join(json.dumps([each.prompt, each.begins]) + "\n" for several in sent for each in several)
    ours = asyncio.run(asked_of(study(folder, url, 1, tokenizer=ID).models[0], rows))
    wide = folder / "wide.gguf"
    subprocess.run([python, "-c", WIDEN, str(gguf), str(wide)], capture_output=True, check=True)
    for words, file in (("same GGUF", gguf), ("its weights as 32-bit numbers", wide)):
        done = subprocess.run([python, "-c", LLAMA, str(file)], input=lines, capture_output=True, text=True, check=True)
        told = iter([json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("FOUND")])
        by_token = [[next(told) for _ in several] for several in sent]
        theirs = [[sum(numbers) for numbers in several] for several in by_token]
        lengths = [len(numbers) for several in by_token for numbers in several]
        pairs = [pair for several in zip(ours, theirs, strict=True) for pair in zip(*several, strict=True)]
        mean = sum(abs(float(one) - other) for one, other in pairs) / sum(lengths)
        alike = sum(best(one) == best(other) for one, other in zip(ours, theirs, strict=True))
        print(f"llama.cpp's logits, {words}: log-likelihoods of {min(lengths)} to {max(lengths)} tokens differ by")
        print(
            f"  {largest(ours, theirs)}, {mean:.4f} a token on average; likeliest text alike in {alike} of {len(ours)}"
        )
        for row, own, other in zip(rows, ours, theirs, strict=True):
            if row.question.item.weights:
                print(f"  MC2 of {row.question.item.id}: {mc2(row, own):.6f} here, {mc2(row, other):.6f} there")
    wide.unlink()
    tokenizer = writer._tokenizer
    for first in ("true", "false"):
        port = free_port()
        command = [python, "-m", "llama_cpp.server", "--model", str(gguf), "--logits_all", "true", "--n_ctx", "2048"]
        command += ["--n_threads", "1", "--port", str(port)]
        command += ["--kv_overrides", f"tokenizer.ggml.add_bos_token=bool:{first}"]
        with serving(command, port, "/v1/models") as llama:
            found = asyncio.run(asked_of(study(folder, llama, 1).models[0], rows))
        plain, compared = list[list[float]](), list[list[float]]()
        for row, numbers in zip(rows, found, strict=True):
            if isinstance(numbers, str):
                continue
            before = "\n\n".join(message["content"] for message in row.request.messages)
            texts = []
            for option in row.request.options:
                ids = [tokenizer.bos_token_id, *tokenizer(before + option, add_special_tokens=False)["input_ids"]]
                own = len(tokenizer(before.rstrip(), add_special_tokens=False)["input_ids"]) + 1
                echo = posted(f"{url}/completions", {"prompt": ids, "max_tokens": 0, "echo": True, "logprobs": 0})
                texts.append(sum(echo["choices"][0]["logprobs"]["token_logprobs"][own:]))
            plain.append(texts)
            compared.append(numbers)
        refused = sorted({each for each in found if isinstance(each, str)})
        print(f"llama-cpp-python's server, first token {first}: {len(plain)} trials answered, the others: {refused}")
        if plain:
            print(f"  log-likelihoods differ by {largest(plain, compared)}")


def best(logliks: Sequence[Any]) -> int:
    """The place of the likeliest text."""
    return max(range(len(logliks)), key=logliks.__getitem__)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=6)
    parser.add_argument("--harness", metavar="PYTHON", help="with lm_eval[api]")
    parser.add_argument("--llama", metavar="PYTHON", help="with llama-cpp-python[server]")
    asked = parser.parse_args()
    source, gguf = weights(ID)
    port = free_port()
    command = [sys.executable, "-m", "runner", "serve", "--model", ID, "--dtype", "float32", "--port", str(port)]
    with tempfile.TemporaryDirectory() as name, serving(command, port, "/health") as url:
        folder = Path(name)
        by_ids = study(folder, url, asked.questions, tokenizer=ID)
        questions, pairs = trials(by_ids)
        rows = [*questions, *pairs]
        began = time.monotonic()
        ours = asyncio.run(asked_of(by_ids.models[0], rows))
        took = time.monotonic() - began
        bodies = [
            {"messages": list(each.request.messages), "continuations": list(each.request.options)} for each in rows
        ]
        local = [posted(f"{url}/loglikelihood", body)["logprobs"] for body in bodies]
        print(f"{len(questions)} MC2 questions and {len(pairs)} pairs in {took:.0f} s")
        print(f"the local backend's own service: log-likelihoods differ by {largest(ours, local)}")
        if asked.harness:
            text = asyncio.run(asked_of(study(folder, url, 1).models[0], questions))
            with tempfile.TemporaryDirectory() as kept:
                TokenWriter.load(source, gguf)._tokenizer.save_pretrained(kept)
                against_harness(asked.harness, url, questions, text, Path(kept))
        if asked.llama:
            against_llama(asked.llama, Path(source) / str(gguf), url, rows, folder)


if __name__ == "__main__":
    main()
