"""The report's tables as the page shows them: few columns, intervals as one, a model named once, a legend for each."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from scoring.report.dictionary import meaning
from scoring.report.findings import title_of
from scoring.report.names import attribute_name, level_name
from scoring.report.numbers import (
    COUNTS,
    NONE,
    SIGNED,
    chance,
    count,
    in_points,
    number,
    p_value,
    points_interval,
    score,
    variance,
)
from scoring.report.robustness.facet_words import facet_sentences
from scoring.report.sentences import BRIEF, headline

SHOWN = {"personas": 200, "item_differences": 100, "equivalence": 100}  # rows; the files have all
TITLES = {
    "effects_overall": "Persona effect Δ = with − without",
    "target": "Rounds until the target: the interval that holds though it was looked at while the run went on",
    "covariates": "Δ with the answers of a cheaper model, which was asked everything",
    "ways": "Δ by the way of asking, and its difference to the first way",
    "conditionings": "Δ by what is shown of a persona, and its difference to the smallest set of traits",
    "aggregates": "Over many items, on the items and orders that both sides answered: pigeonhole bootstrap intervals",
    "aggregates_by_category": "The same for each item category",
    "distributions": "Answers as a distribution: similarity to the population's, at as many draws on both sides",
    "changed": "How many answers changed, by chance alone, and with the neutral text",
    "control": "The neutral control beside the personas",
    "gaps": "Δ by level, and the gap to everybody else, p adjusted by Holm",
    "families": "Does the attribute matter at all: omnibus p; disparity = max − min, beside what chance gives",
    "categories": "Δ by item category",
    "fidelity_people": "Agreement with the respondent's own answer, beside what needs no model",
    "fidelity_groups": "Distance of the model's answers to the people's, beside a second sample of as many people",
    "fidelity_spread": "Spread within levels, and what sets them apart, of the model's answers over the people's",
    "fidelity_structure": "Correlations between the questions, the model's against the people's",
    "fidelity_calibration": "Brier score of the probabilities and its parts",
    "fidelity_reliability": "The reliability curve: how often an option of this probability was the respondent's",
    "fidelity_points": "Fidelity and Δ of the same people, by level, with standard errors",
    "fidelity_slopes": "How much Δ changes with fidelity, over levels and from person to person",
    "fidelity_corrected": "Shares and means from the model's answers, corrected by a part of the people's own",
    "stated_shares": "What the model says a country's people answer, beside what they answered (1 is equal)",
    "counterfactuals": "One trait changed in the same respondent: average marginal component effects",
    "formats": "How much of Δ's variance is wording, rotation and replicate",
    "rankings": "Agreement of the subgroup ranking between formats (Kendall's τ)",
    "letters": "What the letters held of the first token's probability",
    "validity": "Unparsed, refused and failed answers; scores with them left out and as wrong",
    "agreement": "How often the text's letter is the likeliest letter",
    "recall": "Recall per option slot",
    "twin_controls": "What must not move when another trait is swapped, and what the model infers",
    "told_traits": "Which trait does it: the effect of telling each, where traits are told at random",
    "multiverse": "Would another wording say the same: Δ over all specifications, and one test of all of them",
    "multiverse_gaps": "Whose ranking survives another wording (Kendall's W over specifications)",
    "specifications": "Δ of every specification: each way in which personas were written and asked",
    "facets": "What one answer's d varies with (generalisability study)",
    "worst_tenth": "The worst tenth of the people: picked on one half of the items, judged on the other",
    "equivalence": "How small Δ and the gaps are shown to be: two one-sided tests at 5 %",
    "reliability": "Does the same person move on other items too: split-half reliability of each person's Δ",
    "answer_shift": "How far the answers move as a distribution, whatever they score, beside what would move by chance",
    "item_differences": "Items on which a level moves differently than it does overall (differential item functioning)",
    "contrasts": "Levels compared pair by pair",
    "personas": "Personas, the largest |Δ| first (a hash stands for the respondent)",
}
# The columns of tables that have more than fit; a name with ~ is an interval, of NAME_low and NAME_high.
_CHOSEN = {
    "effects_overall": "benchmark metric personas items without with_persona effect items~ people~ net net~ "
    "registration",
    "gaps": "attribute level benchmark personas effect people~ gap gap~ gap_holm net net~ registration",
    "covariates": "benchmark metric covariate attribute level personas personas_covariate effect people~ items~ alone "
    "alone~ rho_answers rho_people saves",
    "control": "benchmark metric personas items persona persona~ control control~ net net~",
    "categories": "benchmark category metric items personas without with_persona effect items~ people~",
    "aggregates_by_category": "benchmark category metric answers_with without with_persona effect ~",
    "families": "benchmark attribute metric levels tested omnibus_p omnibus_items_p disparity disparity_null "
    "registration",
    "facets": "benchmark metric source levels variance ~ share of_effect note",
    "told_traits": "trait benchmark metric told personas telling ~ holm note moved moved_by_chance moved_holm",
    "worst_tenth": "benchmark metric personas items chosen seen effect side bound",
    "reliability": "benchmark metric clusters groups reliability reliability_low reliability_high",
    "equivalence": "benchmark metric attribute level quantity estimate tost~ within equivalent",
    "contrasts": "benchmark metric attribute level other_level personas personas_other difference difference~ holm",
    "validity": "benchmark attribute level unparsed_with refused_with no_probabilities_with failed_with effect ~ "
    "value_left_out value_as_wrong",
}
_DROPPED = ("hidden", "measure", "model", "effective", "clusters", "groups", "unpaired")
FIDELITY = "fidelity_"
_TOLD_APART = ("benchmark", "shown", "metric")  # left out of fidelity's tables where there is only one
_DROPPED_ENDS = ("_error", "_freedom", "_method", "_scope", "_clusters")
_HEADS = {
    "personas": "people",
    "with_persona": "with",
    "effect": "Δ",
    "telling": "effect of telling",
    "items~": "95% interval, items like these",
    "people~": "95% interval, these items",
    "gap_holm": "p (Holm)",
    "omnibus_p": "p, these items",
    "omnibus_items_p": "p, items like these",
    "disparity_null": "by chance",
    "value_left_out": "score, left out",
    "value_as_wrong": "score, as wrong",
    "answers_with": "answers with",
    "tost~": "90% interval",
    "quantity": "number",
    "of_effect": "share of Δ's variance",
    "reliability_low": "at least",
    "reliability_high": "at most",
}
_SHARES = frozenset(
    "told changed same_sign off_zero first_share last_share moved moved_by_chance by_chance mass under_half hidden "
    "share top_share agree_with agree_without of_effect right right_twin people_moved saves".split()
)
_SHARE_STARTS = ("unparsed", "refused", "no_probabilities", "failed", "invalid")
_COUNTED = ("answers", "personas", "levels", "specifications", "tested", "round", "asked")
_SCORES = frozenset({"without", "with_persona", "value_left_out", "value_as_wrong"})
_UNSIGNED = frozenset({"disparity", "disparity_null", "resolvable", "within"})
_POINTS = SIGNED | _UNSIGNED


class HtmlTable(NamedTuple):
    """A table: its title, what is left out of it, its columns and its rows.

    (Heading, whether of numbers) and (heading, meaning) of each column; the rows of each model, which is "" where there
    is only one: (whether grey, cells).
    """

    title: str
    note: str
    columns: list[tuple[str, bool]]
    legend: list[tuple[str, str]]
    models: list[tuple[str, list[tuple[bool, list[str]]]]]

    @property
    def size(self) -> int:
        """How many rows there are."""
        return sum(len(rows) for _, rows in self.models)


def html_table(name: str, table: pd.DataFrame, min_n: int, whole: int) -> HtmlTable:
    """A table of the report as the page shows it; of `whole` rows there may be more in the files."""
    columns = _columns(name, table)
    several = "model" in table and table["model"].nunique() > 1
    models: dict[str, list[tuple[bool, list[str]]]] = {}
    for row in table.to_dict("records"):
        cells = [_cell(name, column, row) for column in columns]
        grey = bool(row.get("hidden")) or ("gap" in row and row["personas"] < min_n)
        models.setdefault(str(row["model"]) if several else "", []).append((grey, cells))
    note = f"The first {len(table):,} of {whole:,} rows; the CSV has them all." if len(table) < whole else ""
    if name == "facets" and len(said := list(facet_sentences(table))) <= BRIEF:
        note = " ".join(said)
    heads = [(_heading(column), column not in _words(table)) for column in columns]
    legend = [(_heading(column), _meaning(name, column)) for column in columns]
    return HtmlTable(TITLES[name], note, heads, legend, list(models.items()))


def _columns(name: str, table: pd.DataFrame) -> list[str]:
    """What is shown: the chosen columns, else all that say something, with intervals as one."""
    if name in _CHOSEN:
        wanted = _CHOSEN[name].split()
        return [each for each in wanted if _says(table, f"{each.strip('~')}_low".lstrip("_") if "~" in each else each)]
    found: list[str] = []
    same = [each for each in _TOLD_APART if name.startswith(FIDELITY) and each in table and table[each].nunique() == 1]
    for each in table.columns:
        if each in same:
            continue
        if each in _DROPPED and not (each == "hidden" and name == "letters"):
            continue
        if each.endswith(_DROPPED_ENDS) or each == "high" or each.endswith("_high") or not _says(table, each):
            continue
        found.append(
            f"{each.removesuffix('low').removesuffix('_')}~" if each == "low" or each.endswith("_low") else each
        )
    return found


def _says(table: pd.DataFrame, column: str) -> bool:
    """Whether a column has anything in it; that people are hidden is something."""
    if column == "personas" and "hidden" in table and table["hidden"].any():
        return True
    return column in table and bool((table[column].notna() & (table[column].astype(str) != "")).any())


def _words(table: pd.DataFrame) -> set[str]:
    """The columns that hold words."""
    return {name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])}


def _heading(column: str) -> str:
    if column in _HEADS:
        return _HEADS[column]
    return "95% interval" if column.endswith("~") else column.replace("_", " ")


def _meaning(table: str, column: str) -> str:
    of = {"effects_overall": "effects", "gaps": "effects"}.get(table, table)
    if not column.endswith("~"):
        return meaning(of, column) or f"the respondent's {column.replace('_', ' ')}"
    name = column[:-1]
    if name in ("items", "people"):
        how = "people like these and items like these" if name == "items" else "people like these on these items"
        return f"the 95% interval of Δ for {how}, in percentage points"
    if name == "tost":
        return "the 90% interval, which is two one-sided tests at 5%, in percentage points"
    unit = ", in percentage points" if _is_in_points(table, column) else ""
    return f"the 95% interval of {'the number' if not name else name.replace('_', ' ')} to the left{unit}"


def _is_in_points(table: str, column: str) -> bool:
    """Whether an interval is of a difference of scores; of fidelity some are of shares and ratios."""
    return (table != "facets" and not table.startswith(FIDELITY)) or column[:-1] in _POINTS


def _cell(table: str, column: str, row: Mapping[str, Any]) -> str:
    """A value as the terminal has it: scores and shares in per cent, differences in points, names for codes."""
    if column.endswith("~"):
        prefix = column[:-1] + "_" if column[:-1] else ""
        low, high = row[f"{prefix}low"], row[f"{prefix}high"]
        if _is_in_points(table, column):
            return points_interval(low, high)
        plain = variance if table == "facets" else number
        return NONE if math.isnan(low) or math.isnan(high) else f"{plain(low)} to {plain(high)}"
    value = row[column]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or isinstance(value, str):
        return _in_words(column, value or "", row) or NONE
    value = float(value)
    if math.isnan(value) and row.get("hidden") and column == "personas":
        return "under 5 people: hidden"
    return _number(table, column, value)


def _number(table: str, column: str, value: float) -> str:
    if column in COUNTS or column.startswith(
        ("answers", "personas", "levels", "specifications", "tested", "round", "asked")
    ):
        return count(value)
    if column.endswith(("_p", "_holm", "_q")) or column in ("p", "holm", "q"):
        return p_value(value)
    if column in _SHARES or column.startswith(_SHARE_STARTS) or (table, column) == ("changed", "neutral"):
        return chance(value)
    if table == "letters" and column == "without":
        return count(value)
    if column in _SCORES:
        return score(value)
    if (table, column) == ("facets", "variance"):
        return variance(value)
    text = in_points(value) if column in _POINTS else number(value)
    return text.lstrip("+") if column in _UNSIGNED else text


def _in_words(column: str, text: str, row: Mapping[str, Any]) -> str:
    """An attribute, a level, a country or a benchmark by its name."""
    if column == "attribute":
        return attribute_name(text)
    if column == "level":
        return level_name(str(row.get("attribute", "")), text)
    if column in ("country", "gender", "age_band") and text:
        return level_name(column, text)
    return title_of(text) if column == "benchmark" else text


def html_tables(tables: Mapping[str, pd.DataFrame], min_n: int) -> dict[str, HtmlTable]:
    """Every table that has rows, by name."""
    return {name: html_table(name, table, min_n, whole) for name, table, whole in _shown(tables)}


def _shown(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, pd.DataFrame, int]]:
    effects = tables["effects"]
    if len(effects):
        overall = effects["attribute"] == "all"
        yield "effects_overall", effects[overall], int(overall.sum())
        if not overall.all():
            keys = ["model", "benchmark", "measure"]
            gaps = effects[~overall].merge(headline(effects)[keys], on=keys)  # by the measure of the finding
            yield "gaps", gaps, len(gaps)
    for name, table in tables.items():
        if name in TITLES and len(table):
            yield name, table.head(SHOWN.get(name, len(table))), len(table)


def gap_rows(gaps: pd.DataFrame, significant: float) -> Sequence[Sequence[str]]:
    """The largest gaps in words and numbers: model, benchmark, who, gap, interval, p, whether it holds."""
    return [
        (
            str(row.model),
            title_of(str(row.benchmark)),
            f"{row.who} ({row.personas:,.0f})",
            in_points(row.gap),
            points_interval(row.gap_low, row.gap_high),
            p_value(row.gap_holm),
            "yes" if row.gap_holm < significant else "not shown",
        )
        for row in gaps.itertuples()
    ]
