"""The small real model, loaded once for all tests of the server."""

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")

from runner.backends.local import weights  # noqa: E402
from runner.serve.model import ServedModel  # noqa: E402


@pytest.fixture(scope="session")
def smollm() -> Iterator[ServedModel]:
    torch.set_num_threads(1)  # two wait for each other on a machine that has other work
    source, gguf = weights("smollm2-135m-instruct")
    yield ServedModel.load(source, gguf, None, "float32", "cpu", check=4)
