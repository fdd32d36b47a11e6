"""What sends requests: OpenAI, Gemini, any endpoint that speaks chat completions, a local model."""

from personas.errors import MachineError
from runner.backends.base import Backend, Learn
from runner.backends.local import LocalBackend
from runner.backends.request import ModelIdentity
from runner.study.sections import ModelSection


def make_backend(section: ModelSection, identity: ModelIdentity, learn: Learn) -> Backend:
    """The backend that a model of the study names; an SDK is imported only where it is used.

    Raises InputError or MachineError where it cannot be made.
    """
    if section.executor == "ray":
        try:
            from runner.backends.ray import RayBackend
        except ImportError:
            raise MachineError("executor = 'ray' needs Ray: pip install '.[cluster]' in mtpa's folder") from None
        return RayBackend(section, identity)
    if section.backend == "local":
        return LocalBackend(section, identity)
    if section.backend == "openai":
        from runner.backends.openai import OpenAIBackend

        return OpenAIBackend(section, learn)
    if section.backend == "gemini":
        from runner.backends.gemini import GeminiBackend

        return GeminiBackend(section, learn)
    from runner.backends.compatible import CompatibleBackend

    return CompatibleBackend(section, learn)
