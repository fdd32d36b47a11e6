"""How a model's endpoint is reached, and what it can tell beside an answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from runner.study.backend_kinds import BackendKind, backend_kinds


class EndpointSection(BaseModel):
    """endpoint = {...} of a model: how its endpoint is reached, and what it can tell beside an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    key_header: str | None = Field(None, pattern=r"^[A-Za-z0-9-]+$")
    """The header that the key is sent in, alone, such as Azure's `api-key`; `Authorization: Bearer …` if absent."""
    api_version: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]+$")
    """Sent as `api-version` behind every address, as Azure's deployments want it."""
    loglikelihoods: Literal["echo", "prompt_logprobs"] | None = None
    """How the endpoint's `/v1/completions` tells log-likelihoods: `echo` with `logprobs` (vLLM, llama-cpp-python with
    `logits_all`, `mtpa-run serve`), or vLLM's `prompt_logprobs`. If absent, it is asked for none."""
    tokenizer: str | None = Field(None, min_length=1)
    """The model's tokenizer, for log-likelihoods: a folder, a hub id or a name of `mtpa-run data list`. Prompts are
    written by its chat template and sent as token ids; if absent, they are sent as plain text."""
    project: str | None = Field(None, pattern=r"^[A-Za-z0-9.:-]+$")
    """The Google Cloud project that pays, which has Gemini asked through Vertex AI, with the credentials that
    `GOOGLE_APPLICATION_CREDENTIALS` names or `gcloud auth application-default login` left."""
    location: str = Field("global", pattern=r"^[a-z0-9-]+$")
    """Where Vertex AI answers, such as `europe-west4`."""
    prompt_cache: bool = False
    """Whether a persona's text is marked for Anthropic's prompt cache, where it is long enough for it. What is written
    to the cache costs more than other input, what is read from it less; `mtpa-run plan` names both."""

    @property
    def is_vertex(self) -> bool:
        """Whether Gemini is asked through Vertex AI."""
        return self.project is not None

    def check(self, backend: BackendKind, mode: str, key_env: str | None) -> None:
        """Raises ValueError, in a sentence, for a key that is not this backend's, or not without another."""
        for name in sorted(self.model_fields_set):
            if name not in backend.endpoint_keys:
                owner = next(kind for kind in backend_kinds() if name in kind.endpoint_keys)
                why = owner.endpoint_keys[name]
                raise ValueError(f"endpoint.{name} is for backend = {owner.name!r} ({why}); leave it out")
        if self.tokenizer and not self.loglikelihoods:
            raise ValueError("endpoint.tokenizer is for log-likelihoods: set endpoint.loglikelihoods, or leave it out")
        if "location" in self.model_fields_set and not self.is_vertex:
            raise ValueError("endpoint.location is Vertex AI's: set endpoint.project too")
        if self.is_vertex and key_env:
            raise ValueError("Vertex AI takes no API key but Google Cloud's credentials; leave key_env out")
        if self.is_vertex and mode != "live":
            raise ValueError(f"mtpa sends no batches through Vertex AI; leave mode = {mode!r} or endpoint.project out")
