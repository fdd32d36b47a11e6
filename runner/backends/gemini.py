"""Gemini, through google-genai's async client on aiohttp.

Google's own API with a key, or Vertex AI with the environment's credentials, which shows log-probabilities for models
for which the other does not.
"""

import json
import logging
import math
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import google.auth
from google import genai
from google.auth.exceptions import GoogleAuthError, TransportError
from google.genai import errors, types
from pydantic import ValidationError

from personas.errors import InputError
from runner.backends.base import Answer, Learn
from runner.backends.catalogue.parameters import adapted
from runner.backends.chat_completions import with_letters
from runner.backends.connection import open_session
from runner.backends.errors import BackendError, BadRequest, ModelUnavailable, Transient
from runner.backends.http import failure, json_object, not_connected, timeout, was_sent
from runner.backends.keys import CREDENTIALS, api_key, endpoints
from runner.backends.replies.alternatives import MOST, Alternatives, TopLogprobs, checked, spelling
from runner.backends.replies.endings import ending
from runner.backends.replies.provider_errors import error_in
from runner.backends.replies.usage import counted_usage
from runner.backends.request import Request, Usage, canonical, without_surrogates
from runner.study.masking import remember
from runner.study.sections import ModelSection
from scoring.answers.responses import Response

MOST_CONFIGS = 1000
SDK_ERRORS = (
    errors.APIError,
    aiohttp.ClientError,
    TimeoutError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    GoogleAuthError,
)
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# what is read of a response: the SDK's types refuse a field that is newer than they are
_WHOLE: Mapping[str, Any] = {}
_TOKENS = (
    "promptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "cachedContentTokenCount",
    "totalTokenCount",
)
_TOP = {"topCandidates": {"candidates": {"token": _WHOLE, "logProbability": _WHOLE}}}
_PARTS = {"parts": {"text": _WHOLE, "thought": _WHOLE}}
_READ: Mapping[str, Any] = {
    "candidates": {"content": _PARTS, "finishReason": _WHOLE, "finishMessage": _WHOLE, "logprobsResult": _TOP},
    "promptFeedback": {"blockReason": _WHOLE},
    "usageMetadata": dict.fromkeys(_TOKENS, _WHOLE),
    "modelVersion": _WHOLE,
}


class GeminiBackend:
    """generateContent, one request at a time a slot."""

    def __init__(self, section: ModelSection, learn: Learn) -> None:
        self._section = section
        self._key = api_key(section)
        self._credentials = credentials(section) if section.endpoint.is_vertex else None
        self._client: genai.Client | None = None
        self._session: aiohttp.ClientSession | None = None
        self._check()
        self._configs: dict[tuple[str, bytes, str, int], types.GenerateContentConfig] = {}
        self._top = TopLogprobs()

    async def answer(self, request: Request) -> Answer:
        """One generated answer."""
        if request.kind == "loglik":
            raise BadRequest("unsupported", "this API tells no log-likelihoods; choose another part")
        contents = contents_of(request)
        began = time.monotonic()

        async def ask(top: int) -> types.GenerateContentResponse:
            try:
                return await self.client().aio.models.generate_content(
                    model=self._section.id, contents=contents, config=self.config(request, top)
                )
            except SDK_ERRORS as error:
                self._remember_token()
                raise as_backend_error(error, endpoints(self._section)[0]) from None

        reply = await self._top.asked(request, ask)
        self._remember_token()
        body = (reply.sdk_http_response.body if reply.sdk_http_response else None) or ""
        found = json_object(self._section.id, body.encode("utf-8", "surrogatepass"))
        return read(found, request, round(1000 * (time.monotonic() - began)))

    def _remember_token(self) -> None:
        """Have the access token, which is another every hour, taken out of what the endpoint says."""
        if self._credentials is not None:
            remember(str(self._credentials.token or ""))

    def _check(self) -> None:
        """Raises InputError for a parameter that the SDK does not take as it is written."""
        try:
            types.GenerateContentConfig(**adapted(self._section)[0])
        except ValidationError as error:
            detail = error.errors()[0]
            place = ".".join(map(str, detail["loc"]))
            raise InputError(f"model {self._section.name!r}: decoding.{place}: {detail['msg']}") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aio.aclose()
            self._client = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    def config(self, request: Request, top: int = MOST) -> types.GenerateContentConfig:
        """The settings, made once for all requests that share them; a system message is an instruction here."""
        system = "\n".join(message["content"] for message in request.messages if message["role"] == "system")
        place = system, canonical(request.parameters), request.kind, top
        if (known := self._configs.get(place)) is not None:
            return known
        settings: dict[str, Any] = {**request.parameters, "should_return_http_response": True}
        if system:
            settings["system_instruction"] = system
        if request.kind == "letters":
            settings = {"logprobs": top} | settings | {"response_logprobs": True}
        if len(self._configs) > MOST_CONFIGS:  # a persona in the system message makes each its own
            self._configs.clear()
        self._configs[place] = config = types.GenerateContentConfig(**settings)
        return config

    def client(self) -> genai.Client:
        """The SDK's client, made once."""
        if self._client is None:
            base_url = endpoints(self._section)[0]
            self._session = open_session(base_url, timeout(self._section.timeout), guarded=True)
            options = types.HttpOptions(
                base_url=base_url,
                aiohttp_client=self._session,
                retry_options=types.HttpRetryOptions(attempts=1),  # else a lost connection is sent again unseen
                timeout=round(1000 * self._section.timeout),  # the SDK overrides the session's
            )
            # it would name the key that it found first, which is not the one that it is given
            logging.getLogger("google_genai").setLevel(logging.ERROR)
            # not what GOOGLE_GENAI_USE_VERTEXAI says: the key and the prompt go to the endpoint that is named
            if (cloud := self._section.endpoint).is_vertex:
                options.api_version = "v1"
                self._client = genai.Client(
                    vertexai=True,
                    project=cloud.project,
                    location=cloud.location,
                    credentials=self._credentials,
                    http_options=options,
                )
            else:
                self._client = genai.Client(api_key=self._key, vertexai=False, http_options=options)
        return self._client


def credentials(section: ModelSection) -> Any:
    """Google Cloud's credentials, as its libraries find them in the environment. Raises InputError where none are."""
    try:
        found, _ = google.auth.default(scopes=[SCOPE])
    except (GoogleAuthError, OSError, ValueError) as error:
        said = str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".")
        raise InputError(
            f"model {section.name!r}: no credentials of Google Cloud ({said}); name a file of them in {CREDENTIALS}, "
            "or run `gcloud auth application-default login`"
        ) from None
    return found


def as_backend_error(error: Exception, url: str = "") -> BackendError:
    """One of SDK_ERRORS as one of ours; `url` is the endpoint's."""
    if isinstance(error, TransportError):
        return Transient("connection", f"Google Cloud gave no access token: {error}")
    if isinstance(error, GoogleAuthError):
        again = getattr(error, "retryable", False)
        return (Transient if again else ModelUnavailable)("credentials", f"Google Cloud gave no access token: {error}")
    if isinstance(error, errors.APIError):
        headers = getattr(error.response, "headers", None) or {}
        return failure(error.code, headers, json.dumps(error.details).encode(), url)
    if isinstance(error, aiohttp.ClientConnectionError):
        return not_connected(url or "Gemini", error)
    if isinstance(error, (aiohttp.ClientError, TimeoutError)):
        return Transient("connection", f"{type(error).__name__}: {error}", charged=was_sent(error))
    return Transient("no answer", f"200, but no answer in it ({type(error).__name__})", charged=True)


def contents_of(request: Request) -> str | list[types.Content]:
    """The conversation; a single question goes as it is, which costs the SDK less than typed content."""
    spoken = [message for message in request.messages if message["role"] != "system"]
    if len(spoken) == 1:
        return spoken[0]["content"]
    roles = {"user": "user", "assistant": "model"}
    return [
        types.Content(role=roles[message["role"]], parts=[types.Part(text=message["content"])]) for message in spoken
    ]


def read(body: Mapping[str, Any], request: Request, latency_ms: int) -> Answer:
    """The answer in a body. Raises BackendError where it has none."""
    if (error := error_in(body)) is not None:
        raise error
    try:
        reply = types.GenerateContentResponse.model_validate(_only(body, _READ))
        candidate = reply.candidates[0] if reply.candidates else types.Candidate()
        parts = (candidate.content.parts or []) if candidate.content else []
        text = "".join(part.text for part in parts if part.text and not part.thought)
        usage, served = (
            _usage(reply.usage_metadata, bool(text), latency_ms),
            without_surrogates(reply.model_version or ""),
        )
    except (ValueError, TypeError, AttributeError) as wrong:
        raise Transient("no answer", f"200, but no answer in it ({type(wrong).__name__})", charged=True) from None
    if not reply.candidates:
        if reply.prompt_feedback and reply.prompt_feedback.block_reason:
            return Answer(Response(finish="content_filter"), usage, served)
        none = Transient("no answer", "200, but no candidate in it", charged=True)
        none.usage = usage if usage.known else None
        raise none
    reason = candidate.finish_reason.name if candidate.finish_reason else ""
    response = Response(text=text, finish=ending(reason, usage, candidate.finish_message or ""))
    if request.kind == "letters":
        try:
            response = with_letters(response, _shown(candidate), request)
        except ModelUnavailable as wrong:
            wrong.usage = usage if usage.known else None
            raise
    return Answer(response, usage, served)


def _only(value: Any, names: Mapping[str, Any]) -> Any:
    """The named parts of a JSON value, and of theirs the parts named there; the whole where none are named."""
    if isinstance(value, list):
        return [_only(each, names) for each in value]
    if names and isinstance(value, Mapping):
        return {name: _only(value[name], inner) for name, inner in names.items() if name in value}
    return value


def _shown(candidate: types.Candidate) -> Alternatives | None:
    """The first token's alternatives, the likeliest first.

    A log-probability of 0 may be left out, as protocol buffers do; any other token without a number belongs to the
    unknown tail.
    """
    top = candidate.logprobs_result.top_candidates if candidate.logprobs_result else None
    shown = (top[0].candidates or []) if top else []
    numbers = [each.log_probability if number else each.log_probability or 0.0 for number, each in enumerate(shown)]
    pairs = zip(shown, numbers, strict=True)
    known = [(each, number) for each, number in pairs if number is not None and not math.isnan(number)]
    return checked([(spelling(each.token or ""), number) for each, number in known])


def _usage(usage: types.GenerateContentResponseUsageMetadata | None, said: bool, latency_ms: int) -> Usage:
    """The counts; one that is 0 is left out by the provider, so what nothing was said for has no output tokens."""
    if usage is None:
        return Usage(latency_ms=latency_ms)
    thoughts = usage.thoughts_token_count or 0
    return counted_usage(
        prompt=usage.prompt_token_count,
        output=(usage.candidates_token_count or 0) + thoughts,
        total=usage.total_token_count,
        reasoning=thoughts,
        cache=(usage.cached_content_token_count or 0, 0),
        said=said,
        latency_ms=latency_ms,
    )
