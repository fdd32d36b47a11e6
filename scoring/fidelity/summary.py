"""Fidelity in words: how well a model plays the respondents, and at what price."""

import math
from collections.abc import Iterator, Mapping

import pandas as pd

from scoring.fidelity.both_halves import PEOPLE
from scoring.fidelity.corrected_shares import MEAN, WANTED
from scoring.statistics.levels import ALL

TABLES = ("people", "groups", "spread", "slopes", "corrected")
SIGNIFICANT = 0.05
UNLEARNED = (
    "What could be learned from the same traits is not known: that takes a hundred others who answered, and "
    "scikit-learn (pip install 'mtpa[fidelity]')."
)
KEY = ["model", "benchmark", "shown", "metric"]


def fidelity_sentences(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """A paragraph for each model and set of traits shown."""
    return [" ".join(each) for each in fidelity_statements(tables)]


def fidelity_statements(tables: Mapping[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """For each model and set of traits shown the sentence that stands on top, and the rest of its paragraph."""
    people, groups, spread, slopes, corrected = (tables.get(f"fidelity_{name}", pd.DataFrame()) for name in TABLES)
    if people.empty:
        return []
    overall = people[(people["attribute"] == ALL) & (people["trait"] == ALL) & (people["score"] == "exact")]
    several = overall["shown"].nunique() > 1
    by_answer = overall.drop_duplicates(["model", "benchmark", "shown"]).drop_duplicates(["model", "shown", "told"])
    questions = people[(people["attribute"] == ALL) & (people["trait"] != ALL)]
    found = []
    for _, row in by_answer.iterrows():
        count = _same(questions, row)["trait"].nunique()
        top, *lines = _people(row, count, several)
        lines += [*_groups(_same(groups, row)), *_spread(_same(spread, row))]
        lines += [*_slopes(_same(slopes, row)), *_corrected(_same(corrected, row))]
        found.append((top, " ".join(lines)))
    return found


def _same(table: pd.DataFrame, row: pd.Series) -> pd.DataFrame:
    return table[(table[KEY] == row[KEY]).all(axis=1)] if len(table) else table


def _people(row: pd.Series, questions: int, several: bool) -> Iterator[str]:
    """How often the model answers as the respondent did; then what needs no model."""
    beside = f" told {row['shown']}" if several else ""
    if math.isnan(row["told"]):
        yield f"{row['model']} as its personas{beside}: fewer than five people answered, so nothing is said of them."
        return
    sure = "" if math.isnan(row["low"]) else f" ({_percent(row['low'])} to {_percent(row['high'])})"
    size = f"{row['personas']:,.0f} people, {questions} question{'' if questions == 1 else 's'}"
    yield (
        f"{row['model']} as its personas{beside} answers as the respondents themselves did in {_percent(row['told'])} "
        f"of the cases{sure}; {size}."
    )
    known = {
        "the majority of their country": row["majority"],
        "a draw from its shares": row["draw"],
        "what can be learned from the same traits": row["learned"],
        "the same people asked again": row["retest"],
    }
    others = [f"{name} in {_percent(value)}" for name, value in known.items() if not math.isnan(value)]
    if others:
        yield f"{_first_upper('; '.join(others))}."
    if math.isnan(row["learned"]):
        yield UNLEARNED


def _groups(groups: pd.DataFrame) -> Iterator[str]:
    """The distance of all answers together to those of the people."""
    if groups.empty:
        return
    overall = groups[(groups["attribute"] == ALL) & (groups["trait"] == ALL)].set_index("score")
    for name, words in (("wasserstein", "on the questions' scales"), ("tv", "in total variation")):
        if name in overall.index and not math.isnan(overall.loc[name, "distance"]):
            row = overall.loc[name]
            yield (
                f"All answers to a question together are {row['distance']:.3f} from theirs {words}"
                + (
                    "."
                    if math.isnan(row["reference"])
                    else f", where a second sample of as many people is {_against_reference(row)}."
                )
            )
            return


def _against_reference(row: pd.Series) -> str:
    verdict = "further than chance takes people" if row["p"] < SIGNIFICANT else "no further than chance may take people"
    p = "p < 0.001" if row["p"] < 0.001 else f"p = {row['p']:.3f}"
    return f"{row['reference']:.3f} away: {verdict} ({p})"


def _spread(spread: pd.DataFrame) -> Iterator[str]:
    """The attribute with the most levels: whether people within are flattened, and groups exaggerated."""
    if spread.empty:
        return
    row = spread.loc[spread["levels"].idxmax()]
    sure = "" if math.isnan(row["within_low"]) else f" ({row['within_low']:.2f} to {row['within_high']:.2f})"
    within = f"its answers vary {row['within']:.2f} times as much as people's{sure}"
    text = f"Within {_attribute(row)}, {within}"
    if not math.isnan(row["exaggeration"]):
        text += f", and what sets the levels apart is {max(0.0, row['exaggeration']):.1f} times as much of it"
    yield f"{text}."


def _slopes(slopes: pd.DataFrame) -> Iterator[str]:
    """Where fidelity and Δ go together, or not: in points of Δ for ten points of fidelity."""
    for _, row in slopes.iterrows() if len(slopes) else ():
        if math.isnan(row["slope"]) or math.isnan(row["low"]):
            continue
        change = "rises" if row["slope"] > 0 else "falls"
        shown = row["low"] > 0 or row["high"] < 0
        low, high, slope = (f"{10 * row[name]:+.1f}" for name in ("low", "high", "slope"))
        where = f"over {_points_of(row)}"
        if shown:
            told = "are predicted better" if row["x"] == "fidelity" else "gain more fidelity from what is shown"
            yield (
                f"Where personas {told}, Δ on {row['of']} {change}: {slope} points a 10 points of fidelity "
                f"({low} to {high}, {where})."
            )
        else:
            sure = f"{low} to {high} points a 10 points, {where}"
            yield f"No slope of Δ on {row['of']} against {row['x']} is shown ({sure})."


def _corrected(corrected: pd.DataFrame) -> Iterator[str]:
    """What a part of the people's own answers makes of the model's: as of how many people, and how many more to ask."""
    shares = corrected[corrected["quantity"] != MEAN] if len(corrected) else corrected
    if not len(shares):
        return
    known, effective, more, alone = (
        shares[name].median() for name in ("known", "effective", "people_to_ask", "people_needed_alone")
    )
    points = f"{100 * WANTED:.0f} points"
    asked = (
        f"no number of people would be enough to know a share to within {points} beside so few answers of the model"
        if math.isinf(more)
        else f"to know a share to within {points}, ask {more:,.0f} more people "
        f"({max(0.0, alone - known):,.0f} without the model)"
    )
    yield (
        f"Corrected by the own answers of {known:,.0f} people, its answers say what people answer as surely as the own "
        f"answers of {effective:,.0f} people alone (median of {len(shares)} shares); {asked}."
    )


def _points_of(row: pd.Series) -> str:
    """What a slope is over."""
    if row["attribute"] == PEOPLE:
        return f"{row['levels']:,.0f} personas"
    return f"{row['levels']:.0f} levels of {_attribute(row)}"


def _attribute(row: pd.Series) -> str:
    """An attribute in words, without the survey that it is of."""
    return str(row["attribute"]).rpartition(":")[2].replace("_", " ")


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
