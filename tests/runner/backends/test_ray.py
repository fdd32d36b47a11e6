"""A local model on Ray: the same requests and answers as without it; nodes come and go, and nothing is lost."""

import asyncio
import signal
import sqlite3
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ray")

from ray.cluster_utils import Cluster  # noqa: E402
from studies import load, rows, start, write_study  # noqa: E402
from waiting import HUNG, until, wait_until  # noqa: E402

from personas.errors import InputError, MachineError  # noqa: E402
from runner.backends.providers import make_backend  # noqa: E402
from runner.backends.ray import BLOCK, RayBackend  # noqa: E402
from runner.backends.ray_cluster import room  # noqa: E402
from runner.backends.request import ModelIdentity, Request  # noqa: E402
from runner.engine.run import run  # noqa: E402
from runner.engine.state import State  # noqa: E402
from runner.study.config import Study  # noqa: E402
from runner.study.sections import ModelSection, RaySection  # noqa: E402

pytestmark = pytest.mark.slow

LOOPBACK = "127.0.0.2"  # Ray takes 127.0.0.1 for "whatever address others reach this machine at"
SMALL = {"object_store_memory": 80_000_000, "include_dashboard": False, "node_ip_address": LOOPBACK}
IDENTITY = ModelIdentity("local", "tiny", "", "float32", {})


def processes() -> list[psutil.Process]:
    """What this process started, and what that started: Ray's, and the servers."""
    found = psutil.Process().children(recursive=True)
    return [each for each in found if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def servers() -> list[psutil.Process]:
    return [each for each in processes() if "serve" in each.cmdline()]


@contextmanager
def ray_cluster(cpus: int) -> Iterator[Cluster]:
    """A cluster of one head node, of which nothing is left afterwards."""
    before = set(processes())
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        patch.setenv("RAY_TMPDIR", folder)
        cluster = Cluster(initialize_head=True, head_node_args={**SMALL, "num_cpus": cpus})
        try:
            yield cluster
        finally:
            cluster.shutdown()
        _, left = psutil.wait_procs(set(processes()) - before, timeout=HUNG)
        assert not left


class Held(RayBackend):
    """Lets some requests through, and the others when it is opened."""

    def __init__(self, section: ModelSection, identity: ModelIdentity, free: int) -> None:
        super().__init__(section, identity)
        self.free, self.opened = free, asyncio.Event()

    async def answer(self, request: Request) -> Any:
        self.free -= 1
        if self.free < 0:
            await self.opened.wait()
        return await super().answer(request)


@asynccontextmanager
async def running(study: Study, state: State, free: int) -> AsyncIterator[Held]:
    """A run that is under way; it is awaited at the end."""
    section = study.models[0]
    made: list[Held] = []

    def factory(section: ModelSection, identity: ModelIdentity, learn: Any) -> Held:
        made.append(Held(section, identity, free))
        return made[0]

    assert section.executor == "ray"
    task = asyncio.create_task(run(study, state, backend=factory, pilot=False))
    try:
        await until(lambda: bool(made), task)
        yield made[0]
        await asyncio.wait_for(task, HUNG)
    finally:
        task.cancel()
        await asyncio.wait([task])


def answers(folder: Path) -> dict[bytes, list[float]]:
    """The letters' log-probabilities of each request."""
    found = rows(folder, "SELECT key, letters FROM completion")
    return {key: [each for (each,) in struct.iter_unpack("<f", letters)] for key, letters in found}


async def test_nodes_come_and_go_and_the_answers_are_those_of_one_process(tiny: dict[str, Any], tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("ray", "plain")]
    for folder in folders:
        folder.mkdir()
    with ray_cluster(cpus=0) as cluster:
        first = cluster.add_node(num_cpus=1, **SMALL)
        table = {**tiny, "executor": "ray", "ray": {"address": cluster.address, "cpus_per_actor": 1}}
        state = State()
        async with running(load(folders[0], [table], n=19, groups=10), state, free=10) as backend:
            await until(lambda: backend.counts.blocks.total() > 0)
            (stopped,) = servers()
            cluster.add_node(num_cpus=1, **SMALL)
            await until(lambda: backend.actors == 2)
            stopped.send_signal(signal.SIGSTOP)  # so that it is sure to have blocks in hand when its node dies
            backend.opened.set()
            await until(lambda: len(backend.counts.blocks) == 2)
            cluster.remove_node(first, allow_graceful=False)
            stopped.kill()
        assert backend.counts.lost == 1 and 0 < backend.counts.repeated <= 2 * BLOCK
        assert state.remarks == [
            f"tiny on Ray: {backend.counts.blocks.total()} blocks, answered on 2 nodes",
            f"tiny on Ray: 1 actor was lost with requests in hand; {backend.counts.repeated} were asked again",
        ]
    assert state.sent == 200 and not state.failures
    sql = (
        "SELECT COUNT(*), COUNT(DISTINCT completion), (SELECT COUNT(*) FROM completion) FROM score WHERE status = 'ok'"
    )
    assert rows(folders[0], sql) == [(200, 200, 200)], "an answer was lost or scored twice"
    await asyncio.wait_for(run(load(folders[1], [tiny], n=19, groups=10), pilot=False), HUNG)
    on_ray, plain = map(answers, folders)
    assert on_ray.keys() == plain.keys() and len(plain) == 200
    assert len({round(value, 3) for each in plain.values() for value in each}) > 20, "equality would mean nothing"
    for key, expected in plain.items():
        assert on_ray[key] == pytest.approx(expected, abs=1e-4)
    changed = sum(found.index(max(found)) != plain[key].index(max(plain[key])) for key, found in on_ray.items())
    assert changed == 0


def test_an_interrupted_run_leaves_no_ray_behind(tiny: dict[str, Any], tmp_path: Path) -> None:
    table = {**tiny, "executor": "ray", "ray": {"cpus_per_actor": 1, "actors": 1}}
    study = write_study(tmp_path, [table], n=200, groups=40)
    before = set(processes())
    process = start(study, "--no-pilot", RAY_ADDRESS="", TMPDIR=str(short := Path(tempfile.mkdtemp())))
    wait_until(lambda: answered(tmp_path) or process.poll() is not None)
    left = set(processes()) - before
    assert any("raylet" in each.name() for each in left)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=HUNG)
    assert process.returncode == 130, said
    assert "Interrupted: what was answered is kept" in said
    assert not psutil.wait_procs(left, timeout=HUNG)[1]
    assert not list(short.iterdir())
    short.rmdir()


def answered(folder: Path) -> bool:
    try:
        return bool(rows(folder, "SELECT 1 FROM completion LIMIT 1"))
    except sqlite3.OperationalError:
        return False


async def test_a_cluster_that_is_not_there_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    table = {"name": "tiny", "backend": "local", "id": "tiny", "dtype": "float32", "executor": "ray"}
    study = load(tmp_path, [{**table, "ray": {"address": "127.0.0.1:9"}}])
    with pytest.raises(MachineError, match=r"no Ray cluster can be used at 127\.0\.0\.1:9 .*ray start --head"):
        await asyncio.wait_for(run(study), HUNG)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "runner.backends.ray")
    section = ModelSection(name="tiny", backend="local", id="tiny", dtype="float32", executor="ray")
    with pytest.raises(MachineError, match=r"pip install '\.\[cluster\]'"):
        make_backend(section, IDENTITY, lambda headers: None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "auto"}, "name a dtype; the nodes may differ"),
        ({"backend": "openai"}, "an endpoint needs no cluster"),
        ({"ray": {"adress": "x:1"}}, "did you mean 'address'"),
        ({"ray": {"address": "ray://head:10001"}}, "key 'models.0.ray.address': an address is HOST:PORT"),
    ],
)
def test_what_ray_cannot_run_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    table = {"name": "m", "backend": "local", "id": "m", "dtype": "float32", "executor": "ray", **changes}
    with pytest.raises(InputError, match=message):
        load(tmp_path, [table])


def test_a_run_has_one_cluster_and_restricted_text_leaves_for_it(tmp_path: Path) -> None:
    table = {"backend": "local", "id": "m", "dtype": "float32", "executor": "ray"}
    one, other = ({**table, "name": name, "ray": {"address": f"{name}:6379"}} for name in ("a", "b"))
    with pytest.raises(InputError, match="a run has one Ray cluster"):
        load(tmp_path, [one, other])
    (model,) = load(tmp_path, [one]).models
    assert model.leaves_machine
    (model,) = load(tmp_path, [{**table, "name": "here"}]).models
    assert not model.leaves_machine


def test_room_is_counted_node_by_node() -> None:
    def node(number: int, cpus: float, gpus: float = 0, alive: bool = True) -> dict[str, Any]:
        return {
            "NodeID": str(number),
            "Alive": alive,
            "Resources": {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus},
        }

    assert room([], RaySection())[:3] == (1, 0, 0)
    assert room([node(1, 2), node(2, 1)], RaySection())[:3] == (2, 0, 1)
    assert room([node(1, 6), node(2, 6), node(3, 8, alive=False)], RaySection())[:3] == (4, 0, 2)
    assert room([node(1, 64), node(2, 2, 8)], RaySection())[:3] == (1, 1, 2)
    assert room([node(1, 64), node(2, 64, 8)], RaySection(gpus_per_actor=4))[:3] == (1, 4, 2)
    assert room([node(1, 64), node(2, 64, 8)], RaySection(gpus_per_actor=0, cpus_per_actor=16))[:3] == (16, 0, 8)
    assert room([node(1, 8)], RaySection(gpus_per_actor=1)).actors == 0
