"""Every registered backend can be imported, and what is told of it fits what it is."""

from importlib import import_module

import pytest

import runner.backends.catalogue.kinds  # noqa: F401  registers them
from runner.study.backend_kinds import BackendKind, backend_kinds


@pytest.mark.parametrize("kind", backend_kinds(), ids=lambda kind: kind.name)
def test_a_kind_is_whole(kind: BackendKind) -> None:
    for path in (*kind.executors.values(), *filter(None, [kind.batches])):
        module, _, name = path.partition(":")
        assert isinstance(getattr(import_module(module), name), type)
    assert "process" in kind.executors
    assert kind.endpoint.startswith("https://") or kind.is_local or kind.needs_address or kind.from_logs
    assert bool(kind.key_env) <= bool(kind.endpoint)  # a key has a place to go
    assert set(kind.concurrency) <= set(kind.executors)
