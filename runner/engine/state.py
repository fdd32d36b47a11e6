"""What a run knows of itself while it goes: the terminal, `mtpa-run status` and the exit code read it."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from runner.backends.errors import BackendError, Transient
from runner.crossing.trials import Asked
from runner.store.database import now
from runner.store.prompt_caching import Caching
from runner.study.logs import IN_SUMMARY, logger

log = logger(__name__)
COUNTS = ("planned", "hits", "answered", "failed", "unparsed", "spared", "effect")


@dataclass
class Tally:
    """What has happened to the trials of one model and benchmark so far; a target needs none of those `spared`."""

    planned: int = 0
    hits: int = 0
    answered: int = 0
    failed: int = 0
    unparsed: int = 0
    spared: int = 0
    sums: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, asked: Asked, value: float | None) -> None:
        """Count a score; the sums give the running effect."""
        if value is None:
            self.unparsed += 1
            return
        side = "with" if asked.persona else "without"
        self.sums[f"n_{side}"] += 1
        self.sums[side] += value

    @property
    def done(self) -> int:
        """Trials that have an answer."""
        return self.hits + self.answered

    @property
    def effect(self) -> float | None:
        """The running mean with minus the running mean without; None before both exist."""
        if not self.sums["n_with"] or not self.sums["n_without"]:
            return None
        return float(self.sums["with"] / self.sums["n_with"] - self.sums["without"] / self.sums["n_without"])


@dataclass
class State:
    """A run as it goes: tallies by (model, benchmark), what was sent and spent, and why models stopped.

    `failures` are counted by model and kind, and `mendable` are those that asking again may help; `notices` were logged
    as warnings at once, the newest last. `jobs` are those open at the provider, by model: how many, with how
    many requests, of which answered; `limits` are asked for at every heartbeat: they adapt.
    """

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    sent: int = 0
    in_flight: int = 0
    micro_usd: int = 0
    estimated_micro_usd: int = 0
    caching: Caching = field(default_factory=Caching)
    jobs: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    limits: dict[str, Callable[[], dict[str, float | None]]] = field(default_factory=dict)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    mendable: set[tuple[str, str]] = field(default_factory=set)
    last_failure: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    stopped: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    over_budget: set[str] = field(default_factory=set)
    targets: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    cap: int | None = None
    phase: str = ""
    phase_began: float = 0.0

    def enter(self, phase: str) -> None:
        """What the run does from now on, in words."""
        self.phase, self.phase_began = phase, time.monotonic()
        log.info("%s", phase)

    def notice(self, *sentences: str) -> None:
        """Log at once what a user should know now."""
        self.notices += sentences
        for sentence in sentences:
            log.warning("%s", sentence)

    def remark(self, *sentences: str) -> None:
        """Keep what the end of the run is to mention."""
        self.remarks += sentences
        for sentence in sentences:
            log.warning("%s", sentence, extra=IN_SUMMARY)

    def stop(self, model: str, reason: str) -> None:
        """Note why a model stops early; the first reason stands."""
        if model not in self.stopped:
            self.stopped[model] = reason
            log.warning("model %s stops: %s", model, reason, extra=IN_SUMMARY)

    def reach_cap(self, model: str) -> None:
        """Note that the budget leaves no room for a model's next request."""
        if model not in self.over_budget:
            self.over_budget.add(model)
            log.warning("model %s stops: the budget is reached", model, extra=IN_SUMMARY)

    def __repr__(self) -> str:
        counts = f"{self.total('done'):,} of {self.total('planned'):,} trials answered, {self.total('failed'):,} failed"
        return f"State({counts}, {self.sent:,} requests sent, ${self.micro_usd / 1e6:.4f}, exit code {self.exit_code})"

    def failed(self, model: str, error: BackendError) -> None:
        """Keep what an endpoint said last, and whether asking again may help."""
        log.debug("%s: a request failed with %s: %s", model, error.kind, error)
        self.last_failure.pop(model, None)  # the newest is the last
        self.last_failure[model] = f"{error.kind}: {error}"[:300]
        if isinstance(error, Transient):
            self.mendable.add((model, error.kind))

    def total(self, name: str) -> int:
        """A count summed over models and benchmarks."""
        return sum(getattr(tally, name) for tally in self.tallies.values())

    def spend(self, micro_usd: int, estimated: bool) -> None:
        """Count a cost; `estimated` where it is not the provider's own figure."""
        self.micro_usd += micro_usd
        self.estimated_micro_usd += micro_usd if estimated else 0

    @property
    def left_over(self) -> int:
        """Trials that are wanted and have neither an answer nor a failure."""
        return self.total("planned") - self.total("spared") - self.total("done") - self.total("failed")

    @property
    def exit_code(self) -> int:
        """As reference/interfaces.md lists them."""
        if self.interrupted:
            return 130
        if self.over_budget:
            return 4
        return 3 if self.total("failed") or self.stopped else 0

    def ending(self, limit: int | None = None) -> str:
        """Why the run ended before everything was asked, as its reports say it; "" where it was not cut short."""
        said = ["interrupted"] if self.interrupted else []
        said += ["stopped by the budget"] if self.over_budget else []
        said += [f"{name} stopped early" for name in self.stopped]
        said += [f"stopped by --limit {limit}"] if limit is not None and self.left_over else []
        return "; ".join(said)

    def beat(self) -> str:
        """The state as the heartbeat column keeps it."""
        rows = [
            {"model": model, "benchmark": benchmark, **{name: getattr(tally, name) for name in COUNTS}}
            for (model, benchmark), tally in self.tallies.items()
        ]
        failures = [{"model": model, "kind": kind, "count": count} for (model, kind), count in self.failures.items()]
        beat: dict[str, Any] = {"at": now(), "sent": self.sent, "in_flight": self.in_flight}
        beat |= {"micro_usd": self.micro_usd, "estimated_micro_usd": self.estimated_micro_usd, "failures": failures}
        beat |= {"limits": {model: limits() for model, limits in self.limits.items()}}
        beat |= {"last_failure": self.last_failure, "stopped": self.stopped, "targets": self.targets, "rows": rows}
        return json.dumps(beat | {"remarks": self.remarks})
