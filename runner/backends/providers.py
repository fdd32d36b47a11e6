"""Makes what asks a model; a class is imported only where it is used, its SDK with it."""

from importlib import import_module
from typing import Any, cast

from personas.errors import MachineError
from runner.backends.base import Answer, Backend, Learn
from runner.backends.errors import ModelUnavailable
from runner.backends.request import ModelIdentity, Request
from runner.study.sections import ModelSection


class NobodyToAsk:
    """The backend of a model whose answers come from logs."""

    def __init__(self, section: ModelSection, learn: Learn) -> None:
        """Nothing is opened."""

    async def answer(self, request: Request) -> Answer:
        """Raises ModelUnavailable: what is in no log stays unanswered."""
        raise ModelUnavailable("imported", "its answers come from logs, and nobody can be asked for more")

    async def close(self) -> None:
        """Nothing is open."""


def make_backend(section: ModelSection, identity: ModelIdentity, learn: Learn) -> Backend:
    """The backend that a model of the study names. Raises InputError or MachineError where it cannot be made."""
    path = section.kind.executors[section.executor]
    if not section.is_local:
        return cast(Backend, with_sdk(section, path)(section, learn))
    try:
        return cast(Backend, _imported(path)(section, identity))
    except ImportError:
        if section.executor != "ray":
            raise
        raise MachineError("executor = 'ray' needs Ray: pip install '.[cluster]' in mtpa's folder") from None


def with_sdk(section: ModelSection, path: str) -> Any:
    """What is found under "module:name" of a model's backend. Raises MachineError where its SDK is not installed."""
    try:
        return _imported(path)
    except ModuleNotFoundError as error:
        if not section.kind.sdk or error.name != section.kind.sdk:
            raise
        raise MachineError(
            f"backend = {section.backend!r} needs its SDK: pip install '.[{section.kind.sdk}]' in mtpa's folder"
        ) from None


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
