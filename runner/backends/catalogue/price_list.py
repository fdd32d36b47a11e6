"""The price list: what genai-prices has in its package, or what `mtpa-run data fetch prices` brought since."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.metadata import version
from pathlib import Path
from statistics import mode
from typing import TYPE_CHECKING, Any

from personas.errors import InputError, MachineError
from personas.whole_file import write_whole
from runner.backends.keys import endpoints
from runner.study.assets import assets, cache_directory, disk_errors
from runner.study.backend_kinds import backend_kind, backend_kinds
from runner.study.sections import ModelSection, Price, Rates, Tier

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import MatchLogic, ModelInfo, ModelPrice, Provider

FILE = "prices.json"
MOST_BYTES = 50_000_000
RATES = {"input": "input_mtok", "output": "output_mtok", "cached": "cache_read_mtok", "cache_write": "cache_write_mtok"}
BATCH = {"processing": "batch"}
STANDARD_TIERS = ("auto", "default", "standard", "standard_only")
_VERSION = re.compile(r"(-(preview|exp|latest|\d{2,8}))*")
_UNDATED = re.compile(r"-latest$|^claude-(haiku|sonnet|opus)-4(-[0-5])?$")  # since 4.6 such a name is a version's own
_NEXT = re.compile(r"[-.]\d{1,2}(-\d{8})?")  # what makes Opus 5 an Opus 5.5, and is no version of the same model
_DATED = re.compile(r"\d{4}-?\d{2}-?\d{2}|-\d{3,4}$|-\d{2}-\d{4}$|\\d\{[48]\}")  # also in a pattern of names


@dataclass(frozen=True)
class Listed:
    """A model of the list.

    `batch` is None where its provider names no price for batches; from `changes` on it costs `later`. `alias` says that
    its provider has dated versions of it besides.
    """

    id: str
    price: Price
    batch: Price | None = None
    context_window: int | None = None
    deprecated: bool = False
    alias: bool = False
    changes: date | None = None
    later: Price | None = None


@dataclass(frozen=True)
class PriceList:
    """Every provider's models; `source` says in words where they come from and how new they are."""

    snapshot: "DataSnapshot"
    newest: date
    source: str


@cache
def price_list() -> PriceList:
    """The newer of the package's list and the one that was fetched, by their newest entries; a damaged file is as none.

    Loading takes about a third of a second.
    """
    from genai_prices.data_snapshot import get_snapshot

    packaged = get_snapshot()
    newest = _newest_entry(packaged.providers)
    source = f"genai-prices {version('genai-prices')}, whose newest entry is of {newest}"
    found = PriceList(packaged, newest, source)
    try:
        kept = json.loads((cache_directory() / FILE).read_bytes())
        fetched, snapshot = date.fromisoformat(kept["fetched"]), _snapshot(kept["providers"])
        theirs = _newest_entry(snapshot.providers)
    except Exception:  # what the package says of a damaged list may be anything
        return found
    if theirs < newest:
        return found
    return PriceList(snapshot, theirs, f"genai-prices, fetched on {fetched}")


def fetch_price_list() -> Path:
    """Fetch genai-prices' present list from where its package takes updates, and keep it. Raises MachineError."""
    import httpx2
    from genai_prices.update_prices import DEFAULT_UPDATE_URL

    try:
        reply = httpx2.get(DEFAULT_UPDATE_URL, timeout=30, follow_redirects=True).raise_for_status()
        if len(reply.content) > MOST_BYTES:
            raise ValueError(f"{len(reply.content):,} bytes")
        providers = json.loads(reply.content)
        _newest_entry(_snapshot(providers).providers)
    except Exception as error:  # what the package says of a damaged list may be anything
        raise MachineError(
            f"{DEFAULT_UPDATE_URL}: no price list could be fetched ({type(error).__name__}); "
            "`pip install --upgrade genai-prices` brings one too"
        ) from None
    path = cache_directory() / FILE
    with disk_errors(path.parent):
        write_whole(path, json.dumps({"fetched": _now().date().isoformat(), "providers": providers}).encode())
    for each in (price_list, _provider_by, _listed):
        each.cache_clear()
    return path


def listed(section: ModelSection) -> Listed | None:
    """A model as the list has it; None where it does not name the model, or names no price of its tokens.

    Where prices differ over the day, or change within the next, they are the dearest ones.
    """
    if not section.kind.prices and not section.leaves_machine:
        return None  # a server of one's own
    tier = str(section.decoding.get("service_tier") or STANDARD_TIERS[0])
    return _listed(section.backend, tuple(endpoints(section)), section.id, tier)


def priced_backends() -> list[str]:
    """The backends whose provider has prices of its own in the list."""
    return [kind.name for kind in backend_kinds() if kind.prices]


def backend_of(model: str) -> str | None:
    """Whose model a name is: one of the pinned local ones, or one that the list knows as a provider's own."""
    if model in assets() or Path(model).is_dir():
        return "local"
    table = {"name": model, "id": model, "answer": "text", "decoding": {"max_tokens": 1}}
    sections = (ModelSection.model_validate({**table, "backend": each}) for each in priced_backends())
    return next((each.backend for each in sections if listed(each) is not None), None)


def is_another(section: ModelSection, served: str) -> bool:
    """Whether the served name is that of another model than was asked for: the list knows both and tells them apart.

    Only of a provider's own models: a router may serve whatever it finds best, a server may name its model as it likes.
    """
    if not section.kind.prices:
        return False
    before, same, rest = served.lower().partition(section.id.removeprefix("models/").lower())
    if same and not before and not _NEXT.fullmatch(rest):
        return False
    asked, answers = listed(section), listed(section.model_copy(update={"id": served}))
    return asked is not None and answers is not None and asked.id != answers.id


def batch_factor(section: ModelSection) -> float:
    """What a token in a batch costs as a share of its live price.

    As listed for the model, else what is usual for its provider; 1 where no discount is listed.
    """
    if known := listed(section):
        return known.batch.output / known.price.output if known.batch and known.price.output else 1.0
    provider = _provider(section.backend, tuple(endpoints(section)))
    factors = list(_batch_factors(provider)) if provider else []
    return mode(factors) if factors else 1.0


@cache
def _listed(backend: str, urls: tuple[str, ...], model_id: str, tier: str) -> Listed | None:
    provider = _provider(backend, urls)
    if provider is None:
        return None
    reference = model_id.removeprefix("models/").lower()
    model = provider.find_model(reference, all_providers=price_list().snapshot.providers)
    if model is None or not _is_named(model, reference):
        return None
    context = {} if tier in STANDARD_TIERS else {"service_tier": tier}
    if context and not any(variant.when == context for variant in model.price_variants or ()):
        return None
    price = _dearest(model, context)
    if price is None:
        free = reference.endswith(":free")  # as OpenRouter names them; any other without a price is not known
        return Listed(model.id, Price(input=0, output=0)) if free else None
    has_batches = any(variant.when == BATCH for variant in model.price_variants or ())
    changes = min((day for day in _start_dates(model) if day > _now().date()), default=None)
    return Listed(
        id=model.id,
        price=price,
        batch=_dearest(model, BATCH) if has_batches else None,
        context_window=model.context_window,
        deprecated=bool(model.deprecated),
        alias=_is_alias(provider, model, reference),
        changes=changes,
        later=None if changes is None else _price(model.get_prices(_noon(changes), context)),
    )


@cache
def _provider_by(url: str | None, name: str | None) -> "Provider | None":
    try:
        return price_list().snapshot.find_provider(None, name, url)
    except LookupError:
        return None


def _provider(backend: str, urls: Sequence[str]) -> "Provider | None":
    """Whose prices apply: those of the endpoint's own provider.

    A gateway that the list does not know passes on what its backend's provider charges.
    """
    found = _provider_by(urls[0], None) if urls else None
    prices = backend_kind(backend).prices
    return found or (_provider_by(None, prices) if prices else None)


def _batch_factors(provider: "Provider") -> Iterator[float]:
    for model in provider.models:
        if any(variant.when == BATCH for variant in model.price_variants or ()):
            live, batch = _dearest(model, {}), _dearest(model, BATCH)
            if live and batch and live.output:
                yield batch.output / live.output


def _dearest(model: "ModelInfo", context: dict[str, str]) -> Price | None:
    hours = (_now() + timedelta(hours=hour) for hour in range(25))
    prices = (_price(model.get_prices(hour, context)) for hour in hours)
    return max((price for price in prices if price), key=lambda price: (price.output, price.input), default=None)


def _price(rates: "ModelPrice") -> Price | None:
    """A price as the study file has it; None where input or output has none, or one that cannot be."""
    values: dict[str, Any] = {name: getattr(rates, key) for name, key in RATES.items()}
    if values["input"] is None or values["output"] is None:
        return None
    starts = sorted({tier.start for value in values.values() for tier in getattr(value, "tiers", ())})
    try:
        tiers = tuple(Tier(over=start, **_rates_from(values, start)) for start in starts)
        return Price(**_rates_from(values, -1), tiers=tiers)
    except (TypeError, ValueError):  # a fetched list may hold anything; a price that cannot be is none
        return None


def _rates_from(values: dict[str, Any], start: int) -> dict[str, Any]:
    """The rates of prompts that are longer than `start` tokens; the base rates below all tiers."""
    found: dict[str, Decimal | None] = {}
    for name, value in values.items():
        reached = [tier.price for tier in getattr(value, "tiers", ()) if tier.start <= start]
        found[name] = reached[-1] if reached else getattr(value, "base", value)
    return {name: None if value is None else float(value) for name, value in found.items()}


def _is_named(model: "ModelInfo", reference: str) -> bool:
    """Whether a name is the model's own or a version of it: what merely begins alike may cost something else."""
    if reference in _names(model.match) or any(re.fullmatch(name, reference) for name in _patterns(model.match)):
        return True
    return reference.startswith(model.id.lower()) and bool(_VERSION.fullmatch(reference[len(model.id) :]))


def _is_alias(provider: "Provider", model: "ModelInfo", reference: str) -> bool:
    """Whether a name stands for whichever dated version its provider serves."""
    if provider.id == "anthropic":
        return bool(_UNDATED.search(reference))
    return not _DATED.search(reference) and any(_DATED.search(name) for name in _names(model.match))


def _names(clause: "MatchLogic") -> list[str]:
    """The names, and the patterns of names, that a clause spells out."""
    if isinstance(name := getattr(clause, "equals", None), str):
        return [name.lower()]
    return [*_patterns(clause), *(name for each in getattr(clause, "or_", ()) for name in _names(each))]


def _patterns(clause: "MatchLogic") -> list[str]:
    if isinstance(pattern := getattr(clause, "regex", None), str):
        return [pattern]
    return [pattern for each in getattr(clause, "or_", ()) for pattern in _patterns(each)]


def _start_dates(model: "ModelInfo") -> Iterator[date]:
    conditional = model.prices if isinstance(model.prices, list) else []
    for each in conditional:
        if (start := getattr(each.constraint, "start_date", None)) is not None:
            yield start


def _newest_entry(providers: "Sequence[Provider]") -> date:
    """The latest day on which a price of the list began. Raises ValueError for a list without any."""
    today = _now().date()
    return max(day for each in providers for model in each.models for day in _start_dates(model) if day <= today)


def _snapshot(providers: Any) -> "DataSnapshot":
    """A list as the package reads the file of its updates. Raises ValueError, or TypeError."""
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import _providers_from_raw

    return DataSnapshot(_providers_from_raw(providers), from_auto_update=False)


def _now() -> datetime:
    return datetime.now(UTC)


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def in_words(rates: Rates) -> str:
    """Rates as a sentence has them."""
    return f"${rates.input:g} in and ${rates.output:g} out per million tokens"


def refuse_unpriced(section: ModelSection) -> InputError:
    """What to do about a paid model without a price."""
    return InputError(
        f"model {section.name!r}: no price is known for {section.id!r}; give price = {{ input = …, output = … }} in "
        "dollars per million tokens, fetch the present list with `mtpa-run data fetch prices`, or set "
        'unpriced = "allow"'
    )
