"""Which class asks which provider; one is imported only where it is used, its SDK with it."""

from importlib import import_module
from typing import Any, cast

from personas.errors import MachineError
from runner.backends.base import Answer, Backend, Learn
from runner.backends.errors import ModelUnavailable
from runner.backends.request import ModelIdentity, Request
from runner.study.decoding import IMPORTED
from runner.study.sections import ModelSection

LOCAL = {"process": "runner.backends.local.LocalBackend", "ray": "runner.backends.ray.RayBackend"}  # by executor
REMOTE = {
    "openai": "runner.backends.openai.OpenAIBackend",
    "gemini": "runner.backends.gemini.GeminiBackend",
    "anthropic": "runner.backends.anthropic.AnthropicBackend",
    "openai-compatible": "runner.backends.compatible.CompatibleBackend",
}


class NobodyToAsk:
    """The backend of a model whose answers come from logs."""

    async def answer(self, request: Request) -> Answer:
        """Raises ModelUnavailable: what is in no log stays unanswered."""
        raise ModelUnavailable("imported", "its answers come from logs, and nobody can be asked for more")

    async def close(self) -> None:
        """Nothing is open."""


def make_backend(section: ModelSection, identity: ModelIdentity, learn: Learn) -> Backend:
    """The backend that a model of the study names. Raises InputError or MachineError where it cannot be made."""
    if section.backend == IMPORTED:
        return NobodyToAsk()
    if section.backend != "local":
        try:
            return cast(Backend, _found(REMOTE[section.backend])(section, learn))
        except ModuleNotFoundError as error:
            if error.name != section.backend:
                raise
            raise missing_sdk(section) from None
    try:
        return cast(Backend, _found(LOCAL[section.executor])(section, identity))
    except ImportError:
        if section.executor != "ray":
            raise
        raise MachineError("executor = 'ray' needs Ray: pip install '.[cluster]' in mtpa's folder") from None


def missing_sdk(section: ModelSection) -> MachineError:
    """What to do where the SDK of a model's provider is not installed."""
    return MachineError(
        f"backend = {section.backend!r} needs its SDK: pip install '.[{section.backend}]' in mtpa's folder"
    )


def _found(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
