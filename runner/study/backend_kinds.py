"""What a study may name as a `backend`: the package that asks registers its backends, a row each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Check = Callable[[str, str, Mapping[str, Any]], None]


@dataclass(frozen=True)
class BackendKind:
    """One way to ask a model: what a study may say of it, and where the code is that asks.

    Parameters
    ----------
    name : str
        As `backend = "…"` names it; part of every request's key.
    decoding : frozenset of str, optional
        The names that `decoding` may hold; None where it may hold any.
    executors : mapping of str to str
        `executor` → the path of the class that asks, as "module:Class"; all but a local one have "process" alone.
    batches : str
        The path of the class that sends batch jobs; "" where the provider takes none.
    concurrency : mapping of str to int
        `executor` → how many requests go out at once where the study does not say.
    endpoint : str
        The provider's own address; "" where every study names one, or none is needed.
    needs_address : bool
        Whether a study must name `base_urls`.
    is_local : bool
        Whether the model is served by this program: free, without a key, its weights on a machine of the user's.
    from_logs : bool
        Whether its answers are imported from logs: nobody is asked.
    endpoint_keys : mapping of str to str
        The keys of `endpoint` that are this backend's alone → why, in a clause.
    key_env : str, optional
        The environment variable that usually holds the key.
    sdk : str
        The package that must be installed for it, which is the extra of mtpa that brings it; "" where mtpa needs it.
    prices : str
        The provider's id in the price list; "" where the endpoint's address says whose prices hold.
    cached_from : int, optional
        The fewest tokens of a prompt that the provider's cache keeps, of the model that keeps the least.
    marked_cache : bool
        Whether the provider's cache keeps only what is marked for it.
    check : callable, optional
        Raises ValueError, in a sentence, for a (name, answer, decoding) that none of its models can be asked.
    """

    name: str
    decoding: frozenset[str] | None
    executors: Mapping[str, str]
    batches: str = ""
    concurrency: Mapping[str, int] = field(default_factory=dict)
    endpoint: str = ""
    needs_address: bool = False
    is_local: bool = False
    from_logs: bool = False
    endpoint_keys: Mapping[str, str] = field(default_factory=dict)
    key_env: str | None = None
    sdk: str = ""
    prices: str = ""
    cached_from: int | None = None
    marked_cache: bool = False
    check: Check | None = None


_registered: dict[str, BackendKind] = {}


def register(*kinds: BackendKind) -> None:
    """Let studies name these backends."""
    _registered.update((kind.name, kind) for kind in kinds)


def backend_kinds() -> tuple[BackendKind, ...]:
    """All backends, in the order of their registration."""
    return tuple(_registered.values())


def backend_kind(name: str) -> BackendKind:
    """The backend of this name. Raises ValueError, with the names that there are, where it has none of them."""
    if name not in _registered:
        raise ValueError(f"should be one of {', '.join(map(repr, _registered))}")
    return _registered[name]


def known_name(name: str) -> str:
    """The name, if it is a backend's. Raises ValueError otherwise."""
    return backend_kind(name).name


def name_schema(schema: dict[str, Any]) -> None:
    """Puts the names into the JSON schema of the key."""
    schema["enum"] = list(_registered)


def usual_concurrency(table: Mapping[str, Any]) -> dict[str, int]:
    """`concurrency` as the backend of a [[models]] table usually has it; empty where that is as for any other."""
    kind = _registered.get(str(table.get("backend")))
    most = kind.concurrency.get(str(table.get("executor", "process"))) if kind else None
    return {"concurrency": most} if most else {}
