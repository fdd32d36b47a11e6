"""The small real model, loaded once for all tests of the server."""

from collections.abc import Iterator

import pytest

pytest.importorskip("torch")

from runner.backends.local import weights
from runner.serve.model import ServedModel


@pytest.fixture(scope="session")
def smollm() -> Iterator[ServedModel]:
    source, gguf = weights("smollm2-135m-instruct")
    yield ServedModel.load(source, gguf, None, "float32", "cpu", check=4)
