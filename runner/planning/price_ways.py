"""What it takes a study to know Δ to a half-width, in each of the ways that there are, and which costs least."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd

from runner.crossing.prepare import prepared
from runner.planning.plan import plan
from runner.store.scores import last_selection, load_scores
from runner.study.config import Study
from scoring.statistics.designs.adaptive_price import group_spreads
from scoring.statistics.designs.power import DEFAULTS, Components, components
from scoring.statistics.designs.savings import DesignPool, PricedWay, SharedAnswers, priced_ways
from scoring.statistics.pairs import parts
from scoring.tables.covariates import covariate_table

ASSUMED = SharedAnswers(0.5, 0.5)  # where no answers of both models are in the file


@dataclass(frozen=True)
class StudyWays:
    """The ways of one model and benchmark, and what they rest on.

    `usd` is the price of a request, None where it is not known, `usd_beside` that of one to the covariate.
    """

    model: str
    benchmark: str
    covariate: str | None
    of: Components
    measured: bool
    shared: SharedAnswers
    shared_measured: bool
    pool: DesignPool
    ways: list[PricedWay]
    usd: float | None
    usd_beside: float

    def price(self, way: PricedWay) -> float | None:
        """US dollars of a way, its covariate's included."""
        return None if self.usd is None else way.requests * self.usd + way.beside * self.usd_beside

    @property
    def cheapest(self) -> PricedWay | None:
        """The way that costs least; the fewest requests where prices are not known or nothing costs anything."""
        return min(self.ways, key=lambda way: (self.price(way) or 0.0, way.requests), default=None)


def study_ways(study: Study, half_width: float) -> Iterator[StudyWays]:
    """A row per model that is asked for its own sake, and benchmark with a Δ. Raises InputError or MachineError."""
    covariates = {model.name: model.covariate for model in study.asked_models}
    with prepared(study) as ready:
        rows = {(row.model, row.benchmark): row for row in plan(ready).rows}
        usd = {key: row.usd_high / row.to_send for key, row in rows.items() if row.to_send}
        questions: dict[str, list[object]] = {}
        groups: dict[str, set[str]] = {}
        for each in ready.crossing.questions:
            if each.is_for(None):
                questions.setdefault(each.measure, []).extend(each.orders)
                groups.setdefault(each.measure, set()).add(each.item.group)
        replicates = {model.section.name: model.baseline_replicates for model in ready.crossing.models}
    scores = _scores(study)
    (known, spreads), shared = _known(scores), _shared(scores, covariates)
    for model in study.asked_models:
        if model.name in study.covariates:
            continue
        for name, asked in questions.items():
            of, found = known.get((model.name, name)), shared.get((model.name, name))
            count = len(groups[name])
            rounds = study.target.rounds if study.target else 8
            varying = spreads.get((model.name, name), ())
            sizes = (study.personas.n, count, len(asked) / count, replicates[model.name], rounds)
            pool = DesignPool(*sizes, varying if len(varying) == count else ())
            ways = priced_ways(of or DEFAULTS, half_width, pool, found or ASSUMED)
            beside = usd.get((model.covariate or "", name), 0.0)
            rests = (of or DEFAULTS, of is not None, found or ASSUMED, found is not None)
            yield StudyWays(model.name, name, model.covariate, *rests, pool, ways, usd.get((model.name, name)), beside)


def _scores(study: Study) -> pd.DataFrame:
    return load_scores(study.database, last_selection(study.database)) if study.database.exists() else pd.DataFrame()


def _known(
    scores: pd.DataFrame,
) -> tuple[dict[tuple[str, str], Components], dict[tuple[str, str], tuple[float, ...]]]:
    """Variance components of the answers in the file, and how far item groups vary, by model and benchmark.

    They are of letter probabilities, where there are any. Answers that never vary tell nothing about a design.
    """
    found, spreads = {}, {}
    for part in parts(scores) if len(scores) else ():
        for measure in part.measures:
            pairs = part.pairs(measure)
            if len(pairs.person) and any(astuple(of := components(pairs, np.zeros(len(pairs.people), dtype=np.int64)))):
                found[part.model, part.benchmark] = of
                spreads[part.model, part.benchmark] = group_spreads(pairs)
    return found, spreads


def _shared(scores: pd.DataFrame, covariates: Mapping[str, str | None]) -> dict[tuple[str, str], SharedAnswers]:
    """What each model shares with its covariate, by model and benchmark; 0 where it cannot be told."""
    named = {model: other for model, other in covariates.items() if other}
    table = covariate_table(parts(scores), named) if len(scores) and named else pd.DataFrame()
    return {
        (str(row["model"]), str(row["benchmark"])): SharedAnswers(
            *(0.0 if pd.isna(row[name]) else float(row[name]) for name in ("rho_answers", "rho_people"))
        )
        for _, row in table.iterrows()
    }
