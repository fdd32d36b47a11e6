"""Every backend that comes with mtpa, a row each: to add one, write its module and register it here.

`runner` imports this module before any of its own, so that a study can be read; no backend is imported for that.
"""

from runner.backends.catalogue.decoding_names import ANTHROPIC, CHAT, GEMINI, LOCAL, SERVERS, check_claude
from runner.study.backend_kinds import BackendKind, register

# whose models a name is, is asked in this order: the price list lends Google Anthropic's, which Vertex serves
register(
    BackendKind(
        name="local",
        decoding=frozenset(LOCAL.split()),
        executors={"process": "runner.backends.local:LocalBackend", "ray": "runner.backends.ray:RayBackend"},
        concurrency={"process": 128, "ray": 1024},  # 1024: blocks for eight actors
        is_local=True,
    ),
    BackendKind(
        name="openai",
        decoding=frozenset(CHAT.split()),
        executors={"process": "runner.backends.openai:OpenAIBackend"},
        batches="runner.backends.batches.openai_jobs:OpenAIBatches",
        endpoint="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
        prices="openai",
        cached_from=1024,
    ),
    BackendKind(
        name="anthropic",
        decoding=frozenset(ANTHROPIC.split()),
        executors={"process": "runner.backends.anthropic:AnthropicBackend"},
        batches="runner.backends.batches.anthropic_jobs:AnthropicBatches",
        endpoint="https://api.anthropic.com",
        key_env="ANTHROPIC_API_KEY",
        sdk="anthropic",
        prices="anthropic",
        check=check_claude,
    ),
    BackendKind(
        name="gemini",
        decoding=frozenset(GEMINI.split()),
        executors={"process": "runner.backends.gemini:GeminiBackend"},
        batches="runner.backends.batches.gemini_jobs:GeminiBatches",
        endpoint="https://generativelanguage.googleapis.com",
        key_env="GEMINI_API_KEY",
        prices="google",
        cached_from=2048,
    ),
    BackendKind(
        name="openai-compatible",
        decoding=frozenset(f"{CHAT} {SERVERS}".split()),
        executors={"process": "runner.backends.compatible:CompatibleBackend"},
        needs_address=True,
    ),
)
