"""The tables of a study file."""

import ipaddress
import os
import re
from itertools import product
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from personas.people.draws import Allocation, Weights
from personas.prompt.render import Frame, Placement, Variant
from scoring.answers.items import Ask

LOCAL_CONCURRENCY = 128


RAY_CONCURRENCY = 1024  # blocks for eight actors


Mode = Literal["live", "batch", "auto"]


PersonaFormat = Literal["prose", "prose-paper", "bullets", "json", "oneliner"]


class Section(BaseModel):
    """A table of the study file; a key that it does not have is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StudySection(Section):
    """[study]"""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    database: str | None = None
    seed: int = 0


class PersonaSection(Section):
    """[personas]: who answers; `where` keeps those who have one of the listed values of each attribute."""

    sources: tuple[str, ...] = Field(min_length=1)
    where: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    n: int = Field(gt=0)
    stratify: tuple[str, ...] = ("country", "gender", "age_band")
    allocation: Allocation = "proportional"
    minimum: int = Field(0, ge=0)
    weights: Weights = "none"
    traits: str | tuple[str, ...] = "core"
    swap: tuple[str, ...] = ()


class VariantSection(Section):
    """[variants]: how a persona is written; the lists are crossed. `traits` are sets to compare, each a superset of the
    smallest; without it, [personas] traits is the only one."""

    formats: tuple[PersonaFormat, ...] = Field(("prose",), min_length=1)
    frames: tuple[Frame, ...] = Field(("role",), min_length=1)
    placements: tuple[Placement, ...] = Field(("prompt",), min_length=1)
    trait_orders: int = Field(1, gt=0)
    traits: tuple[str | tuple[str, ...], ...] = ()
    neutral: bool = False
    system: str = ""

    @model_validator(mode="after")
    def _has_system(self) -> Self:
        if "system" in self.placements and not self.system:
            raise ValueError("placements 'system' needs a system text that the baseline is sent too: set system")
        return self

    def crossed(self) -> tuple[Variant, ...]:
        """Every combination, and the neutral control of each frame and placement where it is asked for."""
        places = list(product(self.frames, self.placements))
        told = [
            Variant(each, frame, placement, order)
            for each, (frame, placement), order in product(self.formats, places, range(self.trait_orders))
        ]
        control = [Variant("neutral", frame, placement) for frame, placement in places] if self.neutral else []
        return (*told, *control)


class BenchmarkSection(Section):
    """[[benchmarks]]: what is asked; `groups` whole item groups, all of them if absent. `per_person` of these are asked
    of each person, all of them if absent; the baseline and the neutral control are asked all."""

    name: str
    part: str | None = None
    groups: int | None = Field(None, gt=0)
    per_person: int | None = Field(None, gt=0)
    ask: Ask | None = None
    rotations: int = Field(1, gt=0)
    judge: str | None = None

    @model_validator(mode="after")
    def _deals_what_it_has(self) -> Self:
        if self.groups and self.per_person and self.per_person > self.groups:
            raise ValueError(
                f"benchmark {self.name!r}: per_person = {self.per_person}, but groups = {self.groups}; ask each person "
                "no more groups than there are"
            )
        return self


class Price(Section):
    """US dollars per million tokens; cached input costs as much as input if absent."""

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(None, ge=0)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def base_url(url: str) -> str:
    """A base URL without white space around it. Raises ValueError where it is none."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{url!r} is not a URL; write one such as 'http://127.0.0.1:8000/v1'") from None
    if parts.scheme not in ("http", "https") or not host:
        meant = url.rpartition("//")[2]
        scheme = "http" if is_loopback(meant.partition("/")[0].partition(":")[0]) else "https"
        raise ValueError(f"{url!r} does not begin with http:// or https://; write '{scheme}://{meant}'")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValueError(f"{url!r} has a space or a control character in it; write the address alone")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"the address of {host} holds a user name or password; put it into the variable of key_env")
    if parts.query or parts.fragment:
        raise ValueError(f"the address of {host} goes on after its path; leave out what follows '?' or '#'")
    for end in ("/chat/completions", "/completions", "/embeddings", "/models"):
        if parts.path.rstrip("/").endswith(end):
            raise ValueError(f"{url!r} names one service; leave {end!r} out, it is added")
    return url


class RaySection(Section):
    """ray = {...} of a model: its cluster, what each actor takes of it, and how many actors there may be at most.

    Without an address here or in RAY_ADDRESS, a Ray is started on this machine.
    """

    address: str | None = None
    actors: int | None = Field(None, gt=0)
    cpus_per_actor: int | None = Field(None, gt=0)
    gpus_per_actor: int | None = Field(None, ge=0)

    @field_validator("address")
    @classmethod
    def _is_host_and_port(cls, address: str | None) -> str | None:
        if address is not None and not re.fullmatch(r"[^/\s]+:\d{1,5}", address):
            raise ValueError("an address is HOST:PORT, as 'ray start --head' prints it; run on a node of the cluster")
        return address

    @property
    def cluster(self) -> str | None:
        """The address of a cluster; None for this machine alone."""
        return self.address or os.environ.get("RAY_ADDRESS") or None


class BatchSection(Section):
    """[models.batch]: how large a job may be, and how often its provider is asked about it.

    `requests` and `megabytes` are bounds besides the provider's own; the provider is asked after `poll` seconds, then
    ever more seldom, down to once in `poll_most`. Its list of jobs may lag behind by `lag` seconds.
    """

    requests: int = Field(50_000, gt=0)
    megabytes: float = Field(200, gt=0)
    poll: float = Field(2, gt=0)
    poll_most: float = Field(60, gt=0)
    lag: float = Field(60, ge=0)


class ModelSection(Section):
    """[[models]]: who is asked.

    `baseline_replicates` is how often a sampled baseline (text, at a temperature) is asked: its noise is every
    persona's. If absent, as often as is cheapest for Δ on these items.
    """

    name: str
    backend: Literal["local", "openai", "gemini", "openai-compatible"]
    id: str
    revision: str = ""
    dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    executor: Literal["process", "ray"] = "process"
    ray: RaySection = RaySection()
    base_urls: tuple[str, ...] = ()
    key_env: str | None = None
    decoding: dict[str, Any] = {}
    answer: Literal["text", "probabilities"] = "probabilities"
    replicates: int = Field(1, gt=0)
    baseline_replicates: int | None = Field(None, gt=0)
    mode: Mode = "live"
    batch: BatchSection = BatchSection()
    concurrency: int = Field(64, gt=0, le=4096)
    requests_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0)
    timeout: float = Field(300, gt=0)
    usd: float | None = Field(None, gt=0)
    price: Price | None = None
    unpriced: Literal["refuse", "allow"] = "refuse"

    @model_validator(mode="before")
    @classmethod
    def _fills_batches(cls, given: Any) -> Any:
        """A local server makes its batches of what waits, so more of it may; many servers want more still."""
        if isinstance(given, dict) and given.get("backend") == "local":
            return {"concurrency": RAY_CONCURRENCY if given.get("executor") == "ray" else LOCAL_CONCURRENCY} | given
        return given

    @property
    def cap(self) -> int | None:
        """The most that this model may cost, in millionths of a dollar."""
        return None if self.usd is None else round(self.usd * 1e6)

    @property
    def has_batches(self) -> bool:
        """Whether its provider takes batches."""
        return self.backend in ("openai", "gemini")

    @property
    def leaves_machine(self) -> bool:
        """Whether requests go to another machine."""
        if self.backend == "local":
            return self.executor == "ray" and self.ray.cluster is not None
        return not self.base_urls or not all(is_loopback(urlsplit(url).hostname or "") for url in self.base_urls)

    @field_validator("base_urls")
    @classmethod
    def _are_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(base_url(url) for url in urls)

    @model_validator(mode="after")
    def _has_endpoint(self) -> Self:
        if self.backend == "openai-compatible" and not self.base_urls:
            raise ValueError(f"model {self.name!r} needs base_urls, such as ['http://127.0.0.1:8000/v1']")
        if self.mode != "live" and not self.has_batches:
            raise ValueError(
                f"model {self.name!r}: backend {self.backend!r} takes no batches; leave mode = {self.mode!r} out"
            )
        return self

    @model_validator(mode="after")
    def _can_be_on_ray(self) -> Self:
        if self.executor == "ray" and self.backend != "local":
            raise ValueError(
                f"model {self.name!r}: executor 'ray' is for backend 'local'; an endpoint needs no cluster"
            )
        if self.executor == "ray" and self.dtype == "auto":
            raise ValueError(f"model {self.name!r}: name a dtype; the nodes may differ from this machine")
        return self


class BudgetSection(Section):
    """[budget]: what may be spent, and from what estimate on the run asks first."""

    usd: float | None = Field(None, gt=0)
    confirm_above: float = Field(1.0, ge=0)


class TargetSection(Section):
    """[target]: ask no more than makes Δ's interval ± `half_width`, for everybody or for each level of `by`.

    The interval is looked at once a round, `rounds` times at most.
    """

    half_width: float = Field(gt=0, lt=1)
    by: str | None = None
    rounds: int = Field(8, ge=2, le=64)


class ReportSection(Section):
    """[report]: which subgroups are told apart, and how people are weighted.

    `population` gives adults by ISO 3166-1 alpha-3 country; weights = "population" needs it.
    """

    by: tuple[str, ...] = ("country", "gender", "age_band")
    pairs: tuple[tuple[str, str], ...] = ()
    weights: Literal["none", "survey", "population"] = "none"
    population: dict[str, float] = {}
    min_n: int = Field(20, ge=2)

    @property
    def attributes(self) -> tuple[str, ...]:
        """Every attribute that is told apart, those of pairs too."""
        return tuple(dict.fromkeys((*self.by, *(name for pair in self.pairs for name in pair))))
