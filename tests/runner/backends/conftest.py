"""A small model that a server loads at once, for tests in which its words do not matter."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A [[models]] table of a made-up model."""
    from tiny_model import save_tiny_model

    folder = tmp_path_factory.mktemp("tiny")
    save_tiny_model(folder, Path(__file__).with_name("test_ray.py").read_text())
    return {"name": "tiny", "backend": "local", "id": str(folder), "dtype": "float32"}
