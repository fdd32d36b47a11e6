"""What takes statistics: Δ as it narrows, two sides compared, the report's page. Plain functions of a file, so that a
process of their own can run them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from personas.errors import InputError, MtpaError
from runner.results.study_report import drawing_script, study_findings, world_map
from runner.store.completeness import of_scores
from runner.store.scores import last_selection, load_about, load_scores
from runner.study.config import Study
from runner.view.queries.file import version_of
from scoring.report.findings import synthetic_people
from scoring.report.page import page
from scoring.report.sentences import statements
from scoring.statistics.effect import persona_effect
from scoring.statistics.pairs import Part, parts
from scoring.statistics.subgroups import MEASURES, metric_of
from scoring.tables.two_runs import difference_table

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
LEAST_PERSONAS = 2


@dataclass(frozen=True)
class Effects:
    """`overall` has a row per model, benchmark and measure, as the report's forest plot takes it; `history` Δ and its
    interval for these items after a part of the answers, in the order in which they landed; `incomplete` says what is
    missing of a run that is not whole; `finding` has the report's sentences once the run has ended; `answers` says on
    how many answers all of it stands, `version` of which state of the file, and `synthetic` that people were made
    up."""

    overall: pd.DataFrame
    history: pd.DataFrame
    incomplete: str = ""
    finding: tuple[str, ...] = ()
    answers: int = 0
    version: tuple[int, int, str] = (0, 0, "")
    synthetic: str = ""


def effects(path: Path) -> Effects:
    """Δ of the last run's trials so far."""
    version = version_of(path)  # before the scores are read: what lands meanwhile makes it old
    scores = load_scores(path, last_selection(path))
    overall = [
        {**_head(part, measure), **asdict(persona_effect(part.scores, measure))}
        for part in parts(scores)
        for measure in _measured(part)
    ]
    history = [row for part in parts(scores) for row in _history(part)]
    told = _finding(path) if version[-1] else ()
    missing, made_up = of_scores(path, scores).sentence, synthetic_people(scores)
    return Effects(pd.DataFrame(overall), pd.DataFrame(history), missing, told, len(scores), version, made_up)


def _finding(path: Path) -> tuple[str, ...]:
    """The sentences of an ended run; none where its study cannot be read here, as when its own files are elsewhere."""
    try:
        return tuple(each.text for each in statements(study_findings(_study(path, None))))
    except MtpaError:
        return ()


def _head(part: Part, measure: str) -> dict[str, object]:
    return {"model": part.model, "benchmark": part.benchmark, "measure": measure, "metric": metric_of(part, measure)}


def _measured(part: Part) -> list[str]:
    return [name for name in MEASURES if name in part.scores and part.scores[name].notna().any()]


def _history(part: Part) -> Iterator[dict[str, object]]:
    """By the measure that resolves most: letter probabilities where there are any. Rows are in the order of landing."""
    answered = part.scores[part.scores["status"] != "failed"]
    for measure in _measured(part)[-1:]:
        for share in SHARES:
            some = answered.iloc[: round(share * len(answered))]
            if some.loc[some["persona_id"] != "", "persona_id"].nunique() < LEAST_PERSONAS:
                continue
            found = persona_effect(some, measure)
            head = {**_head(part, measure), "answers": len(some)}
            yield {**head, "effect": found.effect, "low": found.people_low, "high": found.people_high}


def compared(path: Path, what: str, first: str, second: str, benchmark: str) -> pd.DataFrame:
    """Second − first on the trials that both have, for two models, formats or personas (`scoring.tables.two_runs`).

    Raises InputError where a side has no score.
    """
    column = {"model": "model", "format": "format", "persona": "persona_id"}[what]
    scores = load_scores(path)
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
    return difference_table(*(_beside_each_set(side, other) for side, other in zip(sides, sides[::-1], strict=True)))


def _beside_each_set(side: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """The baseline, which tells no traits, once for each set of traits that the other side tells."""
    sets = [each for each in other["traits"].astype(str).unique() if each]
    if (side["traits"] != "").any() or not sets:
        return side
    return pd.concat([side.assign(traits=each) for each in sets], ignore_index=True)


def _as_side(side: pd.DataFrame, what: str, name: str) -> pd.DataFrame:
    """Two models are paired as they are. Two formats become one, and are paired persona by persona. Two personas are
    paired item by item, each in the place of the other's baseline; the item groups are what may vary."""
    if what == "model":
        return side
    if what == "format":
        return side.assign(format="", model=name)
    return side.assign(persona_id="", model=name, format="", frame="", placement="", trait_order=0)


def report_page(path: Path, study: Path | None) -> str:
    """The page of `mtpa-run report --html`. `study` is the study file; without one, the last run's own text counts."""
    found = study_findings(_study(path, study))
    return page(found, world_map(lambda line: None), drawing_script(lambda line: None))


def _study(path: Path, study: Path | None) -> Study:
    if study is not None:
        return Study.load(study)
    text = str(load_about(path)["study"])
    if not text:
        raise InputError(f"{path}: has no run to report on")
    found = Study.parse(text, Path("mtpa.toml"))
    section = found.study.model_copy(update={"database": str(path.resolve())})
    return found.model_copy(update={"study": section})
