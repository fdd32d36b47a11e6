"""Prompts a second of a local model on Ray against the plain executor, on the same machine and the same prompts.

    python tests/bench/ray.py [--prompts 512] [--actors 1 2]

Real CrowS-Pairs, BBQ and TruthfulQA questions behind real personas, SmolLM2-135M-Instruct; every server has loaded the
model and answered once before the clock starts. The plain executor is one server with all the cores; on Ray the cores
are shared out among the actors. One actor against the plain executor shows what Ray itself costs.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[2])  # in the place of this folder, whose ray.py is not Ray
os.environ.setdefault("MTPA_DATA_DIR", str(Path(__file__).resolve().parents[3] / "shared" / "data"))
os.environ.pop("RAY_ADDRESS", None)

STUDY = """
[study]
name = "ray"
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


def real_requests(count: int, dtype: str) -> tuple[Any, list[Any]]:
    """The model, and requests of a study, persona by persona."""
    from runner.crossing.prepare import prepared
    from runner.study.config import Study

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text(STUDY.format(people=max(2, count // 24), dtype=dtype))
        with prepared(Study.load(path)) as ready:
            model = ready.crossing.models[0]
            asked = (each.request for each in ready.crossing.trials(model) if each.persona is not None)
            return model, [each for each in asked if each.kind == "letters"][:count]


async def warm(backend: Any, request: Any, actors: int) -> None:
    """Wait until every server has loaded the model and answered."""
    await backend.answer(request)
    while actors and backend.actors < actors:
        await asyncio.sleep(0.1)
    await asyncio.gather(*(backend.answer(request) for _ in range(4 * max(1, actors))))


async def timed(backend: Any, requests: Sequence[Any], in_flight: int, actors: int) -> tuple[float, list[Any]]:
    """Prompts a second, and the answers."""
    found: dict[int, Any] = {}
    waiting = iter(enumerate(requests))

    async def work() -> None:
        for number, request in waiting:
            found[number] = (await backend.answer(request)).response.letter_logprobs

    try:
        await warm(backend, requests[0], actors)
        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(in_flight)))
        return len(requests) / (time.perf_counter() - began), [found[number] for number in range(len(requests))]
    finally:
        await backend.close()


def main() -> None:
    """Run every way `--repeats` times in turn and print medians as ratios to the plain executor."""
    from runner.backends.local import LocalBackend
    from runner.backends.ray import RayBackend
    from runner.study.backend_kinds import backend_kind
    from runner.study.sections import RaySection

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=512)
    parser.add_argument("--actors", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    options = parser.parse_args()
    model, requests = real_requests(options.prompts, options.dtype)
    cores = os.cpu_count() or 1
    rates: dict[int, list[float]] = {}
    answers: dict[int, list[Any]] = {}
    for _ in range(options.repeats):
        for actors in (0, *options.actors):
            if actors:
                place = RaySection(actors=actors, cpus_per_actor=max(1, cores // actors), gpus_per_actor=0)
                section = model.section.model_copy(update={"executor": "ray", "ray": place})
                backend: Any = RayBackend(section, model.identity)
                in_flight = backend_kind("local").concurrency["ray"]
            else:
                backend, in_flight = LocalBackend(model.section, model.identity), model.section.concurrency
            rate, answers[actors] = asyncio.run(timed(backend, requests, in_flight, actors))
            rates.setdefault(actors, []).append(rate)
    plain = statistics.median(rates[0])
    print(f"{len(requests)} prompts, {options.dtype}, {cores} cores, median of {options.repeats}")
    print(f"  plain executor        {plain:8.1f} prompts/s   1.00")
    for actors in options.actors:
        rate = statistics.median(rates[actors])
        pairs = list(zip(answers[0], answers[actors], strict=True))
        changed = sum(one.index(max(one)) != other.index(max(other)) for one, other in pairs)
        name = f"Ray, {actors} actor{'s' * (actors > 1)}"
        print(f"  {name:20s}  {rate:8.1f} prompts/s   {rate / plain:.2f}   {changed} letters changed")


if __name__ == "__main__":
    main()
