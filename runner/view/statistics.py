"""What takes statistics: Δ as it narrows, the finding, two sides compared, the report's page.

Plain functions of a file, so that a process of their own can run them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd

from personas.errors import InputError, MtpaError
from runner.results.study_report import brief_study_findings, drawing_script, report_weights, study_findings, world_map
from runner.store.completeness import of_scores
from runner.store.report_rows import load_items
from runner.store.scores import last_selection, load_about, load_scores
from runner.study.config import Study
from runner.view.queries.file import version_of
from scoring.report.findings import synthetic_people
from scoring.report.page import page
from scoring.report.sentences import Finding, headline, largest_gaps, statements
from scoring.statistics.designs.inclusion import equally_drawn, is_drawn
from scoring.statistics.effect import persona_effect
from scoring.statistics.levels import ALL
from scoring.statistics.pairs import Part, parts
from scoring.statistics.subgroups import MEASURES, metric_of
from scoring.statistics.weights import Weights
from scoring.tables.items_and_people import item_table
from scoring.tables.two_runs import difference_table

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
LEAST_PERSONAS = 2


@dataclass(frozen=True)
class Effects:
    """What a run finds so far, or has found.

    `answers` says on how many answers all of it stands, and `version` of which state of the file.

    `overall` has a row per model and benchmark, as the report's forest plot takes it. While a run goes, `history` has Δ
    and its interval for these items after a part of the answers, in the order in which they landed. Once it has ended,
    `finding` has the report's sentences and `gaps` the largest gaps between people; `untold` says why there are none.
    `incomplete` says what is missing of a run that is not whole, `synthetic` that people were made up.
    """

    overall: pd.DataFrame
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    gaps: pd.DataFrame = field(default_factory=pd.DataFrame)
    finding: tuple[Finding, ...] = ()
    untold: str = ""
    incomplete: str = ""
    answers: int = 0
    version: tuple[int, int, str] = (0, 0, "")
    synthetic: str = ""

    @property
    def is_final(self) -> bool:
        """Whether it is of a run that has ended."""
        return bool(self.version[-1])


def effects(path: Path, study: Path | None = None) -> Effects:
    """Δ of the last run's trials so far; of an ended run the finding, by the study file or the run's own text."""
    version = version_of(path)  # before the scores are read: what lands meanwhile makes it old
    scores = load_scores(path, last_selection(path), answers=False)
    answers, made_up = int((scores["status"] != "failed").sum()), synthetic_people(scores)
    found = Effects(pd.DataFrame(), answers=answers, version=version, synthetic=made_up)
    if not version[-1]:
        return replace(_so_far(found, scores, path), incomplete=of_scores(path, scores).sentence)
    try:
        brief = brief_study_findings(study_of(path, study), scores)
    except MtpaError as error:  # as where a benchmark's own file is elsewhere
        return replace(_so_far(found, scores, path), untold=str(error), incomplete=of_scores(path, scores).sentence)
    shown = replace(found, overall=headline(brief.effects), gaps=largest_gaps(brief.effects))
    return replace(shown, finding=tuple(statements(brief)), incomplete=brief.incomplete)


def _so_far(found: Effects, scores: pd.DataFrame, path: Path) -> Effects:
    """With Δ of these scores and how it narrowed, weighted as the report weighs them."""
    of, weighted = list(parts(scores)), report_weights(path)
    overall = [
        {**_head(part, measure), "attribute": ALL, **asdict(persona_effect(part.whole.scores, measure, *weighted))}
        for part in of
        for measure in _measured(part)[-1:]
    ]
    history = [row for part in of for row in _history(part, *weighted)]
    return replace(found, overall=pd.DataFrame(overall), history=pd.DataFrame(history))


def _head(part: Part, measure: str) -> dict[str, object]:
    return {"model": part.model, "benchmark": part.benchmark, "measure": measure, "metric": metric_of(part, measure)}


def _measured(part: Part) -> list[str]:
    return [name for name in MEASURES if name in part.scores and part.scores[name].notna().any()]


def _history(part: Part, weights: Weights, population: Mapping[str, float]) -> Iterator[dict[str, object]]:
    """By the measure that resolves most: letter probabilities where there are any. Rows are in the order of landing."""
    answered = part.scores[part.scores["status"] != "failed"]
    for measure in _measured(part)[-1:]:
        for share in SHARES:
            some = answered.iloc[: round(share * len(answered))]
            if some.loc[some["persona_id"] != "", "persona_id"].nunique() < LEAST_PERSONAS:
                continue
            found = persona_effect(some, measure, weights, population)
            head = {**_head(part, measure), "answers": len(some)}
            yield {**head, "effect": found.effect, "low": found.people_low, "high": found.people_high}


def item_changes(path: Path) -> pd.DataFrame:
    """Every item with its question, and how many answers personas changed to it (`scoring.tables.items_and_people`).

    Those that changed most beyond chance stand first.
    """
    table = item_table(load_scores(path, last_selection(path), answers=False))
    if table.empty:
        return table
    texts = load_items(path, list(table["item_id"].unique()))
    same = texts["question"].duplicated(keep=False) | (texts["question"] == "")  # the options tell them apart
    asked = texts["question"].where(~same, texts["choices"].map(" | ".join))
    table = table.assign(question=table["item_id"].map(dict(zip(texts["item_id"], asked, strict=True))))
    beyond = (table["moved"].fillna(0) - table["by_chance"].fillna(0)).rename("beyond")
    order = beyond.to_frame().assign(spread=table["spread"].fillna(0))
    return table.loc[order.sort_values(["beyond", "spread"], ascending=False, kind="stable").index]


def compared(path: Path, what: str, first: str, second: str, benchmark: str) -> pd.DataFrame:
    """Second − first on the trials that both have, for two models, formats or personas (`scoring.tables.two_runs`).

    Models and formats are compared with the report's weights; of two personas neither weighs more. Of adaptive rounds
    the first counts alone. Raises InputError where a side has no score.
    """
    column = {"model": "model", "format": "format", "persona": "persona_id"}[what]
    scores = load_scores(path, answers=False)
    scores = equally_drawn(scores) if is_drawn(scores) else scores
    name, _, part = benchmark.partition(":")
    if name:
        of_benchmark = scores["benchmark"].astype(str).str.partition(":")[0] == name
        scores = scores[of_benchmark & ((scores["part"] == part) if part else True)]
    sides = []
    for value in (first, second):
        side = scores[scores[column].astype(str) == ("" if what == "persona" and value == "baseline" else value)]
        if side.empty:
            raise InputError(f"no score of the {what} {value!r}")
        sides.append(_as_side(side, what, value))
    one, two = (_once_per_set(side, other) for side, other in zip(sides, sides[::-1], strict=True))
    return difference_table(one, two) if what == "persona" else difference_table(one, two, *report_weights(path))


def _once_per_set(side: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """The baseline, which tells no traits, once for each set of traits that the other side tells."""
    sets = [each for each in other["traits"].astype(str).unique() if each]
    if (side["traits"] != "").any() or not sets:
        return side
    return pd.concat([side.assign(traits=each) for each in sets], ignore_index=True)


def _as_side(side: pd.DataFrame, what: str, name: str) -> pd.DataFrame:
    """Two models are paired as they are.

    Two formats become one, and are paired persona by persona. Two personas are paired item by item, each in the place
    of the other's baseline; the item groups are what may vary.
    """
    if what == "model":
        return side
    if what == "format":
        return side.assign(format="", model=name)
    return side.assign(persona_id="", model=name, format="", frame="", placement="", trait_order=0)


def report_page(path: Path, study: Path | None) -> str:
    """The page of `mtpa-run report --html`. `study` is the study file; without one, the last run's own text counts."""
    found = study_findings(study_of(path, study))
    return page(found, world_map(), drawing_script())


def study_of(path: Path, study: Path | None) -> Study:
    """The study of a file: that of its study file, or of the last run's own text. Raises InputError."""
    if study is not None:
        return Study.load(study)
    text = str(load_about(path)["study"])
    if not text:
        raise InputError(f"{path}: has no run to report on")
    found = Study.parse(text, Path("mtpa.toml"))
    section = found.study.model_copy(update={"database": str(path.resolve())})
    return found.model_copy(update={"study": section})
