"""API keys: read from the environment, checked, and sent only where they belong."""

import os
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from personas.errors import InputError
from runner.study.addresses import is_loopback
from runner.study.backend_kinds import backend_kinds
from runner.study.masking import is_secret, remember
from runner.study.sections import ModelSection

ENDPOINTS: Mapping[str, str] = {kind.name: kind.endpoint for kind in backend_kinds() if kind.endpoint}
CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"  # names the file from which Google Cloud's access tokens are got
# variable → the hosts that it is for, and all below them, as the providers' own documentation names both
_GOOGLE = ("generativelanguage.googleapis.com",)
HOSTS: Mapping[str, tuple[str, ...]] = {
    "ANTHROPIC_API_KEY": ("api.anthropic.com",),
    "AZURE_OPENAI_API_KEY": ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
    "CEREBRAS_API_KEY": ("api.cerebras.ai",),
    "CO_API_KEY": ("api.cohere.com", "api.cohere.ai"),
    "COHERE_API_KEY": ("api.cohere.com", "api.cohere.ai"),
    "DASHSCOPE_API_KEY": ("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com"),
    "DEEPINFRA_API_KEY": ("api.deepinfra.com",),
    "DEEPINFRA_TOKEN": ("api.deepinfra.com",),
    "DEEPSEEK_API_KEY": ("api.deepseek.com",),
    "FIREWORKS_API_KEY": ("api.fireworks.ai",),
    "GEMINI_API_KEY": _GOOGLE,
    "GOOGLE_API_KEY": _GOOGLE,
    CREDENTIALS: ("googleapis.com",),
    "GROQ_API_KEY": ("api.groq.com",),
    "HF_TOKEN": ("router.huggingface.co",),
    "MISTRAL_API_KEY": ("api.mistral.ai",),
    "MOONSHOT_API_KEY": ("api.moonshot.ai", "api.moonshot.cn"),
    "NVIDIA_API_KEY": ("integrate.api.nvidia.com",),
    "OPENAI_API_KEY": ("api.openai.com",),
    "OPENROUTER_API_KEY": ("openrouter.ai",),
    "PERPLEXITY_API_KEY": ("api.perplexity.ai",),
    "SAMBANOVA_API_KEY": ("api.sambanova.ai",),
    "TOGETHER_API_KEY": ("api.together.xyz", "api.together.ai"),
    "XAI_API_KEY": ("api.x.ai",),
}


class Account(NamedTuple):
    """A key at an endpoint. `mark` is two bytes of its hash: enough to notice another key, too few to find it by."""

    origin: str
    mark: int


class Pairing(NamedTuple):
    """A key, by the variable that holds it, and an endpoint that it is sent to, by scheme, host and port."""

    variable: str
    origin: str

    def __str__(self) -> str:
        return f"{self.variable} to {self.origin}"


def endpoints(section: ModelSection) -> tuple[str, ...]:
    """The base URLs of a model: the study's, else its provider's."""
    default = _vertex(section.endpoint.location) if section.endpoint.is_vertex else section.kind.endpoint
    return section.base_urls or ((default,) if default else ())


def _vertex(location: str) -> str:
    """Where Vertex AI answers for a location (cloud.google.com/vertex-ai/generative-ai/docs/learn/locations)."""
    if location in ("us", "eu"):
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{'' if location == 'global' else f'{location}-'}aiplatform.googleapis.com"


def key_variable(section: ModelSection) -> str | None:
    """The variable that holds a model's key: the study's, else its provider's usual one; None where none is sent."""
    if section.endpoint.is_vertex:
        return None
    return section.key_env or section.kind.key_env


def api_key(section: ModelSection) -> str | None:
    """A model's key, without the white space that secrets files leave around it; None where none is sent.

    Raises InputError where the variable is not set or holds what no header can carry; no message quotes the key.
    """
    variable = key_variable(section)
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError(
            f"model {section.name!r}: the environment variable {variable} is not set; put the API key into it"
        )
    if fault := _fault(key):
        raise InputError(f"model {section.name!r}: the API key in {variable} {fault}; set it to the key alone")
    remember(key)
    return key


def key_headers(section: ModelSection, key: str | None) -> dict[str, str]:
    """The header that carries the key to an endpoint that speaks chat completions; none where none is sent."""
    if not key:
        return {}
    named = section.endpoint.key_header
    return {named: key} if named else {"Authorization": f"Bearer {key}"}


def _fault(key: str) -> str:
    """What is wrong with a key; "" where nothing is."""
    if key[0] == key[-1] and key[0] in "\"'`":
        return f"is in quotes ({key[0]})"
    wrong = next((each for each in key if not "!" <= each <= "~"), None)
    if wrong is None:
        return ""
    if wrong.isspace():
        return "has a space or a line break in the middle"
    return f"holds a character that no key has: {unicodedata.name(wrong, 'a control character')}, U+{ord(wrong):04X}"


def unfamiliar(section: ModelSection) -> list[Pairing]:
    """Where a model's key would be sent without being known to belong there: the user is asked first.

    Known are this machine, and a provider's hosts for the variable that its documentation names, over TLS; a word such
    as "none", which some servers want in the place of a key, may go anywhere.
    """
    variable = CREDENTIALS if section.endpoint.is_vertex else key_variable(section)
    if variable is None or (variable != CREDENTIALS and not is_secret(os.environ.get(variable, "").strip())):
        return []
    found = [Pairing(variable, origin(url)) for url in endpoints(section) if not _belongs(variable, url)]
    return list(dict.fromkeys(found))


def _belongs(variable: str, url: str) -> bool:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().rstrip(".")
    own = [urlsplit(kind.endpoint).hostname for kind in backend_kinds() if kind.key_env == variable]
    known = (*HOSTS.get(variable, ()), *filter(None, own))
    return is_loopback(host) or (parts.scheme == "https" and any(f".{host}".endswith(f".{each}") for each in known))


def origin(url: str) -> str:
    """Scheme, host and port of a URL, the port only where it is not the scheme's own."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port and parts.port != usual else "")
