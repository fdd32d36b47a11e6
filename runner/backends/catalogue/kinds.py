"""Every backend that comes with mtpa, a row each: to add one, write its module and register it here.

`runner` imports this module before any of its own, so that a study can be read; no backend is imported for that.
"""

from runner.backends.catalogue.decoding_names import (
    ANTHROPIC,
    CHAT,
    GEMINI,
    IMPORTED,
    LOCAL,
    SERVERS,
    check_claude,
    check_imported,
)
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
        cached_from=1024,  # the model that keeps the least
        marked_cache=True,
        endpoint_keys={"prompt_cache": "other providers cache prompts by themselves"},
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
        endpoint_keys={"project": "it is Google Cloud's", "location": "it is Google Cloud's"},
        cached_from=2048,
    ),
    BackendKind(
        name="openai-compatible",
        decoding=frozenset(f"{CHAT} {SERVERS}".split()),
        executors={"process": "runner.backends.compatible:CompatibleBackend"},
        needs_address=True,
        endpoint_keys={
            "key_header": "the others' SDKs send the key in a header of their own",
            "api_version": "the others' SDKs name their version themselves",
            "loglikelihoods": "the others' APIs tell none, and a local model always does",
            "tokenizer": "the others are sent texts",
        },
    ),
    BackendKind(
        name=IMPORTED,
        decoding=None,  # a log may say anything
        executors={"process": "runner.backends.providers:NobodyToAsk"},
        from_logs=True,
        check=check_imported,
    ),
)
