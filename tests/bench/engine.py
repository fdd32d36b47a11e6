"""The whole engine against a bare aiohttp loop that POSTs the same bodies, in the same run; then the SDK backends
against the bare SDKs, and the replay of a finished study.

    python tests/bench/engine.py [--requests 20000] [--replay 1000000]

The client is pinned to one core and the server to another. A ratio of 1 means that rendering, hashing, looking up,
reading, scoring and committing cost nothing.
"""

import argparse
import asyncio
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

sys.path[0] = str(Path(__file__).parents[1] / "support")  # not this folder: it has a personas.py of its own
from studies import model

from runner.backends.base import Answer
from runner.backends.chat_completions import body
from runner.backends.request import Request, Usage, canonical
from runner.crossing.prepare import prepared
from runner.engine import run as engine
from runner.engine.run import run
from runner.engine.state import State
from runner.study.config import Study
from scoring.answers.responses import Response

HERE = Path(__file__).parent


def study_on(folder: Path, url: str, requests: int, **changes: object) -> Study:
    """GSS respondents, each of whom reads something else, in front of 100 BBQ items: prompts of about 1 KB."""
    table = model(url, timeout=60, **changes)
    lines = ["[study]", 'name = "bench"', 'database = "bench.sqlite"', "[personas]", 'sources = ["starter_gss2018"]']
    lines += [f"n = {max(1, requests // 100)}", "stratify = []", 'traits = "all"', "[[benchmarks]]", 'name = "bbq"']
    lines += ["groups = 25", "[[models]]"]
    lines += [f"{key} = {_toml(value)}" for key, value in table.items()]
    path = folder / "bench.toml"
    path.write_text("\n".join(lines))
    return Study.load(path)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    return repr(value).replace("'", '"')


def bodies(study: Study) -> list[bytes]:
    """What the engine sends, made beforehand."""
    with prepared(study) as ready:
        (asked_model,) = ready.crossing.models
        trials = ready.crossing.trials(asked_model)
        return [canonical(body("fake", asked.request)) for asked in trials]


async def bare(url: str, payloads: list[bytes], concurrency: int) -> float:
    """Requests a second of workers that POST and parse, nothing else."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(maxsize=concurrency)

    async def work(session: aiohttp.ClientSession) -> None:
        while payload := await queue.get():
            async with session.post(f"{url}/chat/completions", data=payload) as response:
                await response.json()

    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:
        workers = [asyncio.create_task(work(session)) for _ in range(concurrency)]
        began = time.perf_counter()
        for payload in payloads:
            await queue.put(payload)
        for _ in workers:
            await queue.put(b"")
        await asyncio.gather(*workers)
        return len(payloads) / (time.perf_counter() - began)


async def whole(study: Study) -> float:
    """Trials a second of a run, from the moment that its data are read and its rows made."""
    began = 0.0
    begin = engine._begin

    def mark(ready: engine.Prepared, state: State) -> int:
        nonlocal began
        began = time.perf_counter()
        return begin(ready, state)

    engine._begin = mark
    try:
        state = await run(study, pilot=False)
    finally:
        engine._begin = begin
    assert state.exit_code == 0
    return state.total("answered") / (time.perf_counter() - began)


class Server:
    """The fast server on its own core."""

    def __init__(self, latency: float) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, str(HERE / "fast_server.py"), str(port), str(latency)]
        self.url = f"http://127.0.0.1:{port}/v1"
        self.process = subprocess.Popen(command, preexec_fn=lambda: _pin(1))
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("the server did not start")

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()


def _pin(core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})


def fast_path(requests: int) -> None:
    print(f"{'latency':>8} {'in flight':>9} {'bare/s':>8} {'engine/s':>9} {'ratio':>6}   (medians of three pairs)")
    for latency, concurrency in ((0.0, 64), (0.0, 512), (0.2, 64), (0.2, 512)):
        count = requests if not latency else min(requests, concurrency * 40)
        pairs = []
        for _ in range(3):
            with Server(latency) as server, tempfile.TemporaryDirectory() as folder:
                study = study_on(Path(folder), server.url, count, concurrency=concurrency)
                payloads = bodies(study)
                reference = asyncio.run(bare(server.url, payloads, concurrency))
                pairs.append((reference, asyncio.run(whole(study))))
        one, other = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(mine / theirs for theirs, mine in pairs)
        print(f"{1000 * latency:6.0f}ms {concurrency:9} {one:8.0f} {other:9.0f} {ratio:6.2f}")


def sdk(name: str, call: Callable[[str, int], Awaitable[float]], requests: int, key: str) -> None:
    os.environ[key] = "x"
    pairs = []
    for _ in range(3):
        with Server(0.0) as server, tempfile.TemporaryDirectory() as folder:
            prices = {"input": 0.0, "output": 0.0}
            url = server.url if name == "openai" else server.url.removesuffix("/v1")
            study = study_on(Path(folder), url, requests, backend=name, price=prices, concurrency=32)
            reference = asyncio.run(call(server.url, requests))
            pairs.append((reference, asyncio.run(whole(study))))
    one, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{name} SDK: bare {one:.0f}/s, engine {other:.0f}/s, ratio {other / one:.2f}")


async def bare_openai(url: str, requests: int) -> float:
    import openai

    client = openai.AsyncOpenAI(api_key="x", base_url=url, max_retries=0, http_client=openai.DefaultAioHttpClient())
    left = iter(range(requests))

    async def work() -> None:
        for number in left:
            content = f"{number} " + "x" * 1000
            await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": content}], max_tokens=3
            )

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(32)))
    seconds = time.perf_counter() - began
    await client.close()
    return requests / seconds


async def bare_gemini(url: str, requests: int) -> float:
    from google import genai
    from google.genai import types

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        options = types.HttpOptions(base_url=url.removesuffix("/v1"), aiohttp_client=session)
        client = genai.Client(api_key="x", http_options=options)
        left = iter(range(requests))

        async def work() -> None:
            for number in left:
                config = types.GenerateContentConfig(max_output_tokens=3)
                contents = f"{number} " + "x" * 1000
                await client.aio.models.generate_content(model="m", contents=contents, config=config)

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(32)))
        return requests / (time.perf_counter() - began)


class Instant:
    """A backend that answers at once, to fill a file."""

    def __init__(self, *_: object) -> None:
        pass

    async def answer(self, request: Request) -> Answer:
        return Answer(Response(text="A"), Usage(prompt_tokens=250, completion_tokens=1), "instant")

    async def close(self) -> None:
        pass


def replay(trials: int) -> None:
    """Fill a file, then run the finished study again and report it, in a process that did not fill it."""
    with tempfile.TemporaryDirectory() as folder:
        study = larger(study_on(Path(folder), "http://127.0.0.1:1/v1", 1_000, concurrency=256), trials)
        began = time.perf_counter()
        state = asyncio.run(run(study, pilot=False, backend=Instant))
        seconds = time.perf_counter() - began
        size = study.database.stat().st_size / state.total("answered")
        print(
            f"filled {state.total('answered'):,} trials in {seconds:.0f} s; file {size:.0f} bytes a trial", flush=True
        )
        subprocess.run([sys.executable, __file__, "--replay-file", str(study.path)], check=True)


def replay_file(path: Path) -> None:
    """Run a finished study again, and report it."""
    from runner.results.study_report import study_findings

    study = Study.load(path)
    began = time.perf_counter()
    state = asyncio.run(run(study))
    checked = time.perf_counter() - began
    assert state.sent == 0
    study_findings(study)
    reported = time.perf_counter() - began - checked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    count = state.total("hits")
    print(f"replay of {count:,} finished trials: {checked:.0f} s, report {reported:.0f} s, peak {peak:.2f} GB")


def larger(study: Study, trials: int) -> Study:
    """The study with all GSS respondents, and as many items as make this many trials."""
    text = study.path.read_text().replace("groups = 25", f"groups = {max(1, trials // 2348 // 4)}")
    study.path.write_text(text.replace("n = 10", "n = 2348"))
    return Study.load(study.path)


def enumerate_many(trials: int) -> None:
    """Walk a large cross product without sending anything."""
    from collections import deque

    with tempfile.TemporaryDirectory() as folder:
        study = study_on(Path(folder), "http://127.0.0.1:1/v1", 1000)
        with prepared(larger(study, trials)) as ready:
            began = time.perf_counter()
            count = 0
            last: deque[object] = deque(maxlen=512)
            for asked in ready.crossing.trials(ready.crossing.models[0]):
                last.append(asked)
                count += 1
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"enumerating {count:,} trials with their keys: {seconds:.0f} s, peak {peak:.2f} GB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--replay", type=int, default=0, help="trials of the replay; 0 leaves it out")
    parser.add_argument("--enumerate", type=int, default=0, help="trials to enumerate; 0 leaves it out")
    parser.add_argument("--replay-file", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.replay_file:
        replay_file(chosen.replay_file)
    elif chosen.enumerate:
        enumerate_many(chosen.enumerate)
    elif chosen.replay:
        replay(chosen.replay)
    else:
        _pin(0)
        fast_path(chosen.requests)
        sdk("openai", bare_openai, 3000, "OPENAI_API_KEY")
        sdk("gemini", bare_gemini, 3000, "GEMINI_API_KEY")
