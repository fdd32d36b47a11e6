"""What the budget's caps leave of a plan."""

from dataclasses import dataclass

from runner.crossing.prepare import Prepared
from runner.planning.plan import Plan
from runner.store.ledger import room_left


@dataclass(frozen=True)
class Cap:
    """US dollars that the caps leave to a run, of the most that it may cost; earlier runs of the file are paid for."""

    left: float
    usd: float

    @property
    def share(self) -> float:
        """The part of the run that is paid for, 0 to 1."""
        return min(1.0, self.left / self.usd) if self.usd else 1.0

    def sentence(self) -> str:
        """What becomes of the run; "" where the caps leave enough."""
        if self.share == 1:
            return ""
        return f"the budget leaves {dollars(self.left)} of it: the run stops at about {self.share:.0%}"


def cap_of(ready: Prepared, plan: Plan) -> Cap:
    """What the study's cap and those of its models leave of a plan."""
    budget = ready.study.budget.usd
    study_cap = None if budget is None else round(budget * 1e6)
    allowed = 0.0
    for model in ready.crossing.models:
        usd = sum(row.usd_high for row in plan.rows if row.model == model.section.name)
        allowed += min(usd, _room(ready, model.id, study_cap, model.section.cap))
    return Cap(min(allowed, _room(ready, 0, study_cap, None)), plan.usd)


def dollars(usd: float) -> str:
    """To the cent; small amounts to a hundredth of one."""
    return f"${usd:,.2f}" if usd >= 0.1 or not usd else f"${usd:,.4f}"


def _room(ready: Prepared, model: int, study_cap: int | None, model_cap: int | None) -> float:
    if study_cap is None and model_cap is None:
        return float("inf")
    return room_left(ready.cache.connection, model, study_cap, model_cap) / 1e6
