"""The tables of a study file."""

import os
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from personas.people.draws import Allocation, Weights
from runner.study.addresses import base_url, is_loopback
from runner.study.backend_kinds import BackendKind, backend_kind, known_name, name_schema, usual_concurrency
from runner.study.decoding import check_decoding, check_routing
from runner.study.tables.endpoint_section import EndpointSection
from scoring.answers.items import Ask

Mode = Literal["live", "batch", "auto"]


class Section(BaseModel):
    """A table of the study file; a key that it does not have is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class StudySection(Section):
    """[study]."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The study's name: letters, digits, `.`, `_` and `-`; the results file is called after it."""
    database: str | None = None
    """The results file, relative to the study file; `results/NAME.sqlite` if absent."""
    seed: int = 0
    """Which people, items and orders are drawn; another seed draws others."""
    private: bool | None = None
    """Whether the results file, and what is shared of it whole, is for its owner alone. If absent, it is where it holds
    answers of restricted surveys; anything else is readable as the umask says."""

    def is_private(self, restricted: bool) -> bool:
        """Whether a file with the answers of these surveys is for its owner alone."""
        return restricted if self.private is None else self.private


class PersonaSection(Section):
    """[personas]: who answers; `where` keeps those who have one of the listed values of each attribute."""

    sources: tuple[str, ...] = Field(min_length=1)
    """Built-in surveys by name (`starter_wvs3`, `starter_gss2018`), or files that `mtpa-run personas build` wrote."""
    where: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    """Keeps respondents who have one of the listed values of every attribute, such as `{ country = ["USA"] }`."""
    n: int = Field(gt=0)
    """How many respondents are drawn. More keep those of fewer."""
    stratify: tuple[str, ...] = ("country", "gender", "age_band")
    """The attributes that the sample is balanced over, each within the one before."""
    allocation: Allocation = "proportional"
    """`proportional`: shares as in the source; `equal`: equal shares of the first of `stratify`, then in proportion."""
    minimum: int = Field(0, ge=0)
    """What every combination of `stratify` gets first, as far as it has people."""
    weights: Weights = "none"
    """`survey` draws in proportion to the survey's weights."""
    traits: str | tuple[str, ...] = "core"
    """What is shown of a persona: `core`, `demographic`, `all`, `all-but:NAME`, or a list of traits."""
    show: str = Field("all", pattern=r"^(all|random:[1-9]\d{0,2})$")
    """How much of `traits` a persona's text tells: `all`; or, with `random:K`, a random part, K traits on average, that
    differs between item groups, which shows what telling each trait does."""
    profiles: int = Field(4, ge=2, le=16)
    """With `show = "random:K"`: how many such texts a persona has, each for a part of the item groups."""
    swap: tuple[str, ...] = ()
    """Counterfactual twins: each person once more for every other value of these traits."""

    @model_validator(mode="after")
    def _has_profiles(self) -> Self:
        if "profiles" in self.model_fields_set and self.show == "all":
            raise ValueError('profiles is for show = "random:K", such as "random:5": set show, or leave profiles out')
        return self


class BenchmarkSection(Section):
    """[[benchmarks]]: what is asked; `groups` whole item groups, all of them if absent.

    `per_person` of these are asked of each person, all of them if absent; the baseline and the neutral control are
    asked all.
    """

    name: str
    """A benchmark of `mtpa-run benchmarks list`, or a .toml or lm-eval .yaml file beside the study."""
    part: str | None = None
    """One part of the benchmark; if absent, the whole of it, or its default where its parts are measures apart."""
    groups: int | None = Field(None, gt=0)
    """How many item groups are drawn; all of them if absent. More keep those of fewer."""
    per_person: int | None = Field(None, gt=0)
    """How many of these groups each person is asked; all of them if absent. The baseline is asked all."""
    ask: Ask | None = None
    """Keeps the items that are asked in this way: for a letter, a log-likelihood, or free text."""
    rotations: int = Field(1, gt=0)
    """In how many orders the options are shown."""
    judge: str | None = None
    """The name of a `[[models]]` that scores free text; a judge is not asked itself."""

    @model_validator(mode="after")
    def _deals_what_it_has(self) -> Self:
        if self.groups and self.per_person and self.per_person > self.groups:
            raise ValueError(
                f"benchmark {self.name!r}: per_person = {self.per_person}, but groups = {self.groups}; ask each person "
                "no more groups than there are"
            )
        return self


class Rates(Section):
    """Prices in US dollars per million tokens.

    Input read from the provider's cache, and input written to it, costs as much as other input if absent.
    """

    input: float = Field(ge=0)
    """US dollars per million input tokens."""
    output: float = Field(ge=0)
    """US dollars per million output tokens."""
    cached: float | None = Field(None, ge=0)
    """US dollars per million input tokens from the provider's cache; as `input` if absent."""
    cache_write: float | None = Field(None, ge=0)
    """US dollars per million input tokens that are written to the provider's cache; as `input` if absent."""


class Tier(Rates):
    """The rates of a request whose prompt has more than `over` tokens: all of its tokens cost this."""

    over: int = Field(gt=0)
    """These rates are of requests whose prompt has more tokens than this."""


class Price(Rates):
    """What a model's tokens cost; the rates of longer prompts stand in `tiers`, shortest first."""

    tiers: tuple[Tier, ...] = ()
    """The rates of longer prompts, where the provider has such."""

    def at(self, prompt_tokens: int) -> Rates:
        """The rates of a request with a prompt of so many tokens."""
        return next((tier for tier in reversed(self.tiers) if prompt_tokens > tier.over), self)

    @field_validator("tiers")
    @classmethod
    def _ascend(cls, tiers: tuple[Tier, ...]) -> tuple[Tier, ...]:
        return tuple(sorted(tiers, key=lambda tier: tier.over))


class RaySection(Section):
    """ray = {...} of a model: its cluster, what each actor takes of it, and how many actors there may be at most.

    Without an address here or in RAY_ADDRESS, a Ray is started on this machine.
    """

    address: str | None = None
    """HOST:PORT of the cluster's head node; `RAY_ADDRESS` if absent, else a Ray on this machine."""
    actors: int | None = Field(None, gt=0)
    """The most actors there may be; as many as fit if absent."""
    cpus_per_actor: int | None = Field(None, gt=0)
    """Processors that an actor takes; if absent, one beside a GPU, else up to four."""
    gpus_per_actor: int | None = Field(None, ge=0)
    """GPUs that an actor takes; one if absent and the cluster has any."""

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
    """The most requests in a job, besides the provider's own bound."""
    megabytes: float = Field(200, gt=0)
    """The most megabytes in a job, besides the provider's own bound."""
    poll: float = Field(2, gt=0)
    """Seconds until the provider is first asked about a job; later it is asked ever more seldom."""
    poll_most: float = Field(60, gt=0)
    """The most seconds between two questions about a job."""
    lag: float = Field(60, ge=0)
    """By how many seconds the provider's list of jobs may lag behind."""


BackendName = Annotated[str, AfterValidator(known_name), Field(json_schema_extra=name_schema)]


class ModelSection(Section):
    """[[models]]: who is asked.

    `baseline_replicates` is how often a sampled baseline (text, at a temperature) is asked: its noise is every
    persona's. If absent, as often as is cheapest for Δ on these items.
    """

    name: str
    """What reports call the model; never part of a request's key."""
    backend: BackendName
    """Who answers: a server of ours (`local`), a provider's API, any other endpoint that speaks chat completions, or
    the logs of another tool (`imported`), where nobody is asked."""
    id: str
    """The model's name at its provider; for a local one a folder, a hub id or a name of `mtpa-run data list`."""
    revision: str = ""
    """The hub revision of a local model."""
    dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    """What a local model is computed in; `auto` takes the fastest type that the machine computes well in."""
    executor: Literal["process", "ray"] = "process"
    """`process` serves a local model on this machine, `ray` on a Ray cluster."""
    ray: RaySection = RaySection()
    """The Ray cluster, with executor = "ray"."""
    base_urls: tuple[str, ...] = ()
    """Addresses of the endpoint, such as `["http://127.0.0.1:8000/v1"]`; several share the requests."""
    key_env: str | None = None
    """The environment variable that holds the API key; the provider's usual one if absent."""
    endpoint: EndpointSection = EndpointSection()
    """How the endpoint is reached, and what it can tell beside an answer."""
    decoding: dict[str, Any] = {}
    """Decoding parameters as the provider names them, such as `{ temperature = 0.7, max_tokens = 3 }`."""
    allow_dropped: tuple[str, ...] = ()
    """Sampling parameters that the study names and that may be left out where the endpoint takes none."""
    answer: Literal["text", "probabilities"] = "probabilities"
    """`probabilities` reads the letters' probabilities, `text` what the model writes."""
    replicates: int = Field(1, gt=0)
    """How often each question is asked; two or more tell the model's own noise from the persona's effect."""
    baseline_replicates: int | None = Field(None, gt=0)
    """How often the sampled baseline is asked; if absent, as often as is cheapest for Δ."""
    people: int | None = Field(None, gt=0)
    """How many of the respondents this model is asked about, the first of the sample; everybody if absent."""
    covariate: str | None = None
    """The name of a cheaper `[[models]]`, whose answers to everything make this one's Δ surer: it is asked all groups,
    whatever `per_person` says."""
    mode: Mode = "live"
    """`batch` sends the provider's batch jobs, at a lower price within a day; `auto` does after a live pilot."""
    batch: BatchSection = BatchSection()
    """How large jobs may be, and how often the provider is asked about them."""
    concurrency: int = Field(64, gt=0, le=4096)
    """The most requests in flight at once; the number adapts below it. If absent, 64; local models have 128."""
    requests_per_minute: float | None = Field(None, gt=0)
    """The most requests a minute, where the provider says so."""
    tokens_per_minute: float | None = Field(None, gt=0)
    """The most tokens a minute, where the provider says so."""
    timeout: float = Field(300, gt=0)
    """Seconds that an answer may take."""
    usd: float | None = Field(None, gt=0, allow_inf_nan=False)
    """The most that this model may cost, in US dollars."""
    price: Price | None = None
    """What the model costs, where its price is not known or not yours."""
    unpriced: Literal["refuse", "allow"] = "refuse"
    """What becomes of a paid model whose price is not known: `allow` asks it and counts no cost."""

    @field_validator("decoding")
    @classmethod
    def _can_be_sent(cls, decoding: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "backend" in info.data:
            check_decoding(info.data["backend"], decoding)
        return decoding

    @model_validator(mode="before")
    @classmethod
    def _fills_batches(cls, given: Any) -> Any:
        """A local server makes its batches of what waits, so more of it may; many servers want more still."""
        return usual_concurrency(given) | given if isinstance(given, dict) else given

    @property
    def cap(self) -> int | None:
        """The most that this model may cost, in millionths of a dollar."""
        return None if self.usd is None else round(self.usd * 1e6)

    @property
    def has_batches(self) -> bool:
        """Whether its provider takes batches."""
        return bool(self.kind.batches)

    @property
    def kind(self) -> BackendKind:
        """What is known of its backend."""
        return backend_kind(self.backend)

    @property
    def is_local(self) -> bool:
        """Whether this program serves the model."""
        return self.kind.is_local

    @property
    def leaves_machine(self) -> bool:
        """Whether requests go to another machine."""
        if self.is_local:
            return self.executor == "ray" and self.ray.cluster is not None
        if self.kind.from_logs:
            return False
        return not self.base_urls or not all(is_loopback(urlsplit(url).hostname or "") for url in self.base_urls)

    @field_validator("base_urls")
    @classmethod
    def _are_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(base_url(url) for url in urls)

    @model_validator(mode="after")
    def _has_endpoint(self) -> Self:
        if self.kind.needs_address and not self.base_urls:
            raise ValueError(f"model {self.name!r} needs base_urls, such as ['http://127.0.0.1:8000/v1']")
        if self.mode != "live" and not self.has_batches:
            raise ValueError(
                f"model {self.name!r}: backend {self.backend!r} takes no batches; leave mode = {self.mode!r} out"
            )
        return self

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        try:
            self.endpoint.check(self.kind, self.mode, self.key_env)
            check_routing([urlsplit(url).hostname or "" for url in self.base_urls], self.decoding)
            if self.kind.check:
                self.kind.check(self.name, self.answer, self.decoding)
        except ValueError as error:
            raise ValueError(f"model {self.name!r}: {error}") from None
        return self

    @model_validator(mode="after")
    def _can_be_on_ray(self) -> Self:
        if self.executor not in self.kind.executors:
            raise ValueError(
                f"model {self.name!r}: executor {self.executor!r} is for backend 'local'; an endpoint needs no cluster"
            )
        if self.executor == "ray" and self.dtype == "auto":
            raise ValueError(f"model {self.name!r}: name a dtype; the nodes may differ from this machine")
        return self


class BudgetSection(Section):
    """[budget]: what may be spent, and from what estimate on the run asks first."""

    usd: float | None = Field(None, gt=0, allow_inf_nan=False)
    """The most that the study may cost, in US dollars, over all of its runs; no cap if absent."""
    confirm_above: float = Field(1.0, ge=0)
    """A run that may cost more than this is asked about first, or needs `--yes`."""


class ReportSection(Section):
    """[report]: the subgroups by which results are broken down, and how people are weighted.

    `adjust` says over which gaps p-values are adjusted: those of a "family" (model, benchmark, attribute), or "all".
    `population` gives adults by ISO 3166-1 alpha-3 country; weights = "population" needs it.
    """

    by: tuple[str, ...] = ("country", "gender", "age_band")
    """The attributes that Δ is cut by."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Pairs of attributes whose combinations Δ is cut by."""
    weights: Literal["none", "survey", "population"] = "none"
    """How people are weighted: alike, by the survey's weights, or up to each country's adult population."""
    population: dict[str, float] = {}
    """Adults by ISO 3166-1 alpha-3 country, such as `{ NOR = 4300000 }`; needed by weights = "population"."""
    min_n: int = Field(20, ge=2)
    """Gaps between levels of fewer people than this are shown, and not tested."""
    adjust: Literal["family", "all"] = "family"
    """Holm's adjustment over the levels of each attribute (`family`), or over all gaps of the report (`all`)."""

    @property
    def attributes(self) -> tuple[str, ...]:
        """Every attribute by which results are broken down, those of pairs too."""
        return tuple(dict.fromkeys((*self.by, *(name for pair in self.pairs for name in pair))))
