"""Everything that a report says, computed once: the terminal, the page and the files show the same tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from personas.people.respondents import SYNTHETIC
from personas.prompt.cue_texts import CUES
from scoring.benchmarks.registry import asked_for, measured
from scoring.benchmarks.trait_inference import CONTROL_PART, OWN_ANSWER_PARTS
from scoring.report.names import attribute_name, countries_in
from scoring.report.numbers import points, points_interval
from scoring.robustness.robustness_tables import brief_robustness_tables, robustness_tables
from scoring.robustness.traits.twin_controls import with_controls
from scoring.statistics.clustered_errors import BOUND, LEAST_GROUPS, NONE
from scoring.statistics.coverage_figures import covered
from scoring.statistics.designs.inclusion import ROUND
from scoring.statistics.designs.power import component_table, hardest_gap
from scoring.statistics.designs.sequential import UNFINISHED
from scoring.statistics.levels import ALL
from scoring.statistics.pairs import Part
from scoring.statistics.subgroups import MEASURES, Adjust, Slicing, effect_tables, metric_of
from scoring.tables.asked_ways import way_table
from scoring.tables.bootstrap import aggregate_tables
from scoring.tables.changed import changed_table
from scoring.tables.counterfactuals import counterfactual_table
from scoring.tables.items_and_people import answer_table, category_table, item_table, persona_table
from scoring.tables.shown_traits import conditioning_table, set_sizes
from scoring.tables.validity import agreement_table, recall_table, validity_table
from scoring.tables.wording import control_table, ranking_table, variance_table

SHOWN_ITEMS = 100
LEAST_MASS = 0.5  # of the first token's probability
SMALL = 0.01
ASKED_FOR = {
    "text": "answered in the option's words",
    "json": "answered in JSON",
    "probability": "answered in probabilities",
    "reasoning": "answered after reasoning",
}
BETTER = {"higher": "↑ higher is better", "lower": "↓ lower is better", "half": "50% is unbiased"}


@dataclass(frozen=True)
class Findings:
    """The tables by name, what can be said of them in words, and how they were made.

    `items` has one row an item (item_id, benchmark, question, choices); `about` is the provenance: heading → lines.
    """

    tables: Mapping[str, pd.DataFrame]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    slicing: Slicing
    items: pd.DataFrame
    about: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        incomplete = f"; {self.incomplete}" if self.incomplete else ""
        return f"Findings({', '.join(table_names(self.tables))}; {len(self.warnings)} warnings{incomplete})"

    @property
    def incomplete(self) -> str:
        """What is missing of a run that is not whole, in a sentence that stands before everything else; else ""."""
        return str(self.about.get("incomplete", ""))

    @property
    def heading(self) -> str:
        """What stands before everything else, wherever the numbers appear; "" where there is nothing.

        What is missing, that people were made up, and what differs from what was registered.
        """
        told = (self.incomplete, *(str(self.about.get(name, "")) for name in ("synthetic", "not_registered")))
        return " ".join(filter(None, told))

    @property
    def effects(self) -> pd.DataFrame:
        """Δ overall and by level."""
        return self.tables["effects"]


def findings(
    scores: pd.DataFrame,
    slicing: Slicing,
    gold: pd.DataFrame,
    items: Callable[[Sequence[str]], pd.DataFrame],
    about: Mapping[str, Any],
    further: Callable[[Sequence[Part]], Mapping[str, pd.DataFrame]] = lambda found: {},
) -> Findings:
    """All tables of a study, from pairs that are built once for all of them.

    `gold` says where each item's right option stands; `items` gives the texts of item ids; `further` makes the tables
    that need more than scores.
    """
    found = slicing.parts(scores)
    more = further(found)
    effects = effect_tables(_with_delta(found, more), slicing)
    many_item = aggregate_tables(found, slicing.seed)
    of_items = item_table(found)
    shown = of_items.groupby(["model", "benchmark"]).head(SHOWN_ITEMS)["item_id"].unique() if len(of_items) else []
    tables = {
        "effects": effects.effects,
        "families": effects.families,
        "aggregates": many_item.overall,
        "aggregates_by_category": many_item.by_category,
        "categories": category_table(found),
        "counterfactuals": with_controls(counterfactual_table(_with_delta(found, more)), more.get("twin_controls")),
        "conditionings": conditioning_table(found),
        "ways": way_table(found),
        "formats": variance_table(found),
        "control": control_table(found),
        "changed": changed_table(found),
        "rankings": ranking_table(found, slicing.by),
        "validity": validity_table(found, slicing.by),
        "agreement": agreement_table(found),
        "recall": recall_table(found, gold),
        "components": component_table(found, slicing.attributes),
        "items": of_items,
        "answers": answer_table(found, slicing.attributes, list(shown)),
        "personas": persona_table(found, slicing.columns),
        **robustness_tables(_with_delta(found, more), effects.effects, slicing),
        **more,
    }
    tables = _with_metrics(tables, found)
    table = tables["effects"]
    sentences = tuple(sentence for _, row in _overall(table) for sentence in _resolvable(row, table))
    about_letters = _about_letters(tables.get("letters", pd.DataFrame()))
    resolved = [f"{each}; this was found out with its first request." for each in about.get("resolved", ())]
    warnings = (
        *resolved,
        *_about_target(tables.get("target")),
        *_about_chances(found),
        *about_letters,
        *_warnings(scores, table, slicing.adjust),
    )
    about = {
        "asked": _asked(scores),
        "countries": countries_in(scores),
        "synthetic": synthetic_people(scores),
        **about,
    }
    return Findings(tables, sentences, warnings, slicing, items(list(shown)), about)


def synthetic_people(scores: pd.DataFrame) -> str:
    """How many of the personas are no respondents but made up, in a sentence; "" where none is."""
    if "survey" not in scores:
        return ""
    people = scores[["persona_id", "survey"]].drop_duplicates("persona_id").astype(str)
    people = people.loc[people["persona_id"] != "", "survey"]
    made_up = people[people.str.startswith(SYNTHETIC)]
    if made_up.empty:
        return ""
    names = ", ".join(sorted(set(made_up)))
    return (
        f"{len(made_up):,} of the {len(people):,} personas are synthetic people ({names}): a model made them up, "
        "nobody was asked, and nothing here is a finding about a population."
    )


def brief_findings(
    scores: pd.DataFrame,
    slicing: Slicing,
    about: Mapping[str, Any],
    further: Callable[[Sequence[Part]], Mapping[str, pd.DataFrame]] = lambda found: {},
) -> Findings:
    """What the finding in sentences is made of and no more, in a small part of the time.

    Δ overall and by level, how many answers changed, and the `further` tables.
    """
    found = slicing.parts(scores)
    more = further(found)
    with_delta = _with_delta(found, more)
    effects = effect_tables(with_delta, slicing).effects
    robustness = brief_robustness_tables(with_delta, effects, slicing)
    tables = {"effects": effects, "changed": changed_table(found), **robustness, **more}
    about = {"countries": countries_in(scores), "synthetic": synthetic_people(scores), **about}
    return Findings(_with_metrics(tables, found), (), (), slicing, pd.DataFrame(), about)


def _with_delta(found: Sequence[Part], more: Mapping[str, pd.DataFrame]) -> list[Part]:
    """All parts, but those that ask a respondent's own answer where these have tables of their own: they have no Δ."""
    apart = (CONTROL_PART, *(OWN_ANSWER_PARTS if len(more.get("fidelity_people", ())) else ()))
    return [part for part in found if part.benchmark not in apart]


def _with_metrics(tables: Mapping[str, pd.DataFrame], found: Sequence[Part]) -> dict[str, pd.DataFrame]:
    names = {(part.model, part.benchmark, name): metric_of(part, name) for part in found for name in MEASURES}
    return {name: _with_metric(table, names) for name, table in tables.items()}


def _asked(scores: pd.DataFrame) -> str:
    """How often and in how many ways a question was put, in words."""
    if scores.empty:
        return ""
    alone = scores["persona_id"] == ""
    sides = {who: int(scores.loc[rows, "replicate"].nunique()) for who, rows in (("without", alone), ("with", ~alone))}
    times = " and ".join(f"{n} {'time' if n == 1 else 'times'} {who} a persona" for who, n in sides.items() if n)
    formats = sorted(map(str, scores.loc[~alone, "format"].unique()) if "format" in scores else ())
    orders = scores["rotation"].nunique()
    text = f"A question was asked {times}, in {orders} {'order' if orders == 1 else 'orders'} of its options"
    return f"{text}; personas were written as {', '.join(formats)}." if any(formats) else f"{text}."


def _with_metric(table: pd.DataFrame, names: Mapping[tuple[str, str, str], str]) -> pd.DataFrame:
    """The table with a column `metric` behind `measure`: how answers became its numbers, in words."""
    if not {"model", "benchmark", "measure"} <= set(table.columns):
        return table
    keys = zip(*(table[name].astype(str) for name in ("model", "benchmark", "measure")), strict=True)
    table = table.copy()
    table.insert(table.columns.get_loc("measure") + 1, "metric", [names.get(key, MEASURES[key[2]]) for key in keys])
    return table


def _about_target(target: pd.DataFrame | None) -> Iterator[str]:
    """Which intervals hold in a run that was looked at while it ran."""
    if target is None or target.empty:
        return
    row = target.iloc[0]
    rest = " It is not finished: run it again to go on." if (target["outcome"] == UNFINISHED).any() else ""
    yield (
        f"This run was to end once Δ was known to ± {row['wanted']:g}; it was looked at {row['rounds']} times at most. "
        "The intervals that hold under this looking are those of the table of rounds: all looks together have 95 %. "
        f"The others are 95 % intervals that take the number of answers as given.{rest}"
    )


def _about_chances(found: Sequence[Part]) -> Iterator[str]:
    """What tables rest on where item groups were drawn with unequal chances."""
    for part in found:
        if part.drawn is None:
            continue
        people = part.drawn[part.drawn["persona_id"] != ""]
        used, equal = int(people[ROUND].notna().sum()), int((people[ROUND] == 1).sum())
        rest = f" {len(people) - used:,} answers of no whole round are left out." if used < len(people) else ""
        yield (
            f"{part.model} on {title_of(part.benchmark)}: adaptive rounds drew item groups with unequal chances. Δ, "
            "its intervals, gaps, contrasts, equivalence, the neutral control and the rates of unread answers weigh "
            f"all {used:,} answers by the inverse of their chances; all other tables are of the "
            f"{equal:,} answers of the first round, which were drawn with equal chances, but for what letters held, "
            f"which is of all answers as they were asked.{rest}"
        )


def _about_letters(letters: pd.DataFrame) -> Iterator[str]:
    """Where letter probabilities are a small part of what the model would say, or are not all there."""
    for _, row in letters.iterrows():
        name = f"{row['model']} on {title_of(str(row['benchmark']))}"
        if row["without"]:
            asked = int(row["answers"] + row["without"])
            yield (
                f"{name}: {int(row['without']):,} of {asked:,} answers came without probabilities; they count as no "
                "probabilities, and their text is not scored."
            )
        if row["answers"] and row["mass"] < LEAST_MASS:
            yield (
                f"{name}: the letters held {row['mass']:.1%} of the first token's probability on average; what is "
                "compared is a small part of what the model would say."
            )
        if row["hidden"] and row["ceiling"] > SMALL:
            yield (
                f"{name}: in {row['hidden']:.0%} of the answers the endpoint did not show every letter; one that was "
                f"not shown may have had up to {row['ceiling']:.3f}."
            )


def _overall(effects: pd.DataFrame) -> Any:
    return effects[effects["attribute"] == ALL].iterrows() if len(effects) else ()


def title_of(benchmark: str) -> str:
    """What a benchmark is called, with its part where parts are measures of their own.

    Its own name where it is not installed.
    """
    known, (label, elicitation) = measured(benchmark), asked_for(benchmark)
    part = label.partition(":")[2]
    title = label if known is None else f"{known.title} ({part})" if part else known.title
    return f"{title}, {ASKED_FOR[elicitation]}" if elicitation in ASKED_FOR else title


def direction_of(benchmark: str) -> str:
    """The metric and which way is better."""
    known = measured(benchmark)
    return f"{known.metric}, {BETTER[known.better]}" if known else ""


def too_few(groups: float) -> str:
    """How many item groups there were, which is not enough."""
    return "1 item group is too few" if groups == 1 else f"{int(groups)} item groups are too few"


def _resolvable(row: pd.Series, effects: pd.DataFrame) -> list[str]:
    """What this run could not have found, in words: the effect itself, then each attribute's gaps."""
    name = f"{row['model']} on {title_of(str(row['benchmark']))}, by {row['metric']}"
    if np.isnan(row["invalid_without"]):
        return [f"{name}: nothing was asked without a persona, so there is no Δ; its own table has its scores."]
    if not row["pairs"]:
        return [f"{name}: no persona and baseline answer could be paired; there is nothing to compare."]
    if row["items_method"] == BOUND:
        low, high = row["items_low"], row["items_high"]
        bounds = points_interval(low, high)
        return [f"{name}: every persona scored alike, so {bounds} points are a bound on Δ, not an interval."]
    if np.isnan(row["items_error"]):
        few = f"{too_few(row['groups'])} to generalise from (at least {LEAST_GROUPS})"
        return [f"{name}: {few}." if row["groups"] < LEAST_GROUPS else f"{name}: too few people to generalise from."]
    people, items = int(row["personas"]), int(row["items"])
    least = f"had under 80 % power for effects under {points(row['resolvable'], signed=False)}"
    lines = [f"{name}: {people:,} people and {items:,} items {least}."]
    too_small: list[str] = []
    here = (effects[["model", "benchmark", "measure"]] == row[["model", "benchmark", "measure"]]).all(axis=1)
    for attribute, levels in effects[here & (effects["attribute"] != ALL)].groupby("attribute", sort=False):
        tested = levels[levels["gap_resolvable"] > 0]
        if tested.empty:
            too_small.append(attribute_name(str(attribute)))
            continue
        fewest, smallest = int(tested["personas"].min()), hardest_gap(tested)
        with_levels = f"with {fewest:,} people in the smallest level and {items:,} items"
        gaps = f"gaps by {attribute_name(str(attribute))} under {points(smallest, signed=False)}"
        lines.append(f"{name}: {with_levels}, {gaps} had under 80 % power.")
    if too_small:
        lines.append(f"{name}: no level of {', '.join(too_small)} has enough people, or variance, to be compared.")
    return lines


def _warnings(scores: pd.DataFrame, effects: pd.DataFrame, adjust: Adjust) -> list[str]:
    """What a reader must know before trusting an interval."""
    lines = []
    for _, row in _overall(effects):
        name = f"{row['model']} on {title_of(str(row['benchmark']))}"
        if row["measure"] != "value" or not row["pairs"]:
            continue
        if row["people_method"] == NONE and row["clusters"] > 1:
            lines.append(
                f"{name}: the baseline was sampled once an item and rotation, so its own noise is unknown and there is "
                "no interval for these items. Set baseline_replicates to 2 or more."
            )
        if row["personas"] > row["clusters"]:
            lines.append(
                f"{name}: {int(row['personas']):,} respondents, but {int(row['clusters']):,} different descriptions: "
                "those who read the same count as one cluster."
            )
        if row["conservative"] and row["people_method"] != NONE:
            why = str(row["conservative"])
            lines.append(
                f"{name}: its 95 % intervals are conservative ({why}): in simulated studies like it they covered "
                f"{covered(why)}."
            )
    lines += _conservative_gaps(effects)
    if families := _looked_at(effects, adjust):
        lines.append(families)
    cues = sorted(set(map(str, scores["format"].unique())) & set(CUES)) if "format" in scores else []
    if cues and scores.loc[scores["persona_id"] != "", "format"].nunique() > 1:
        lines.append(
            f"Personas were known by more than one cue ({', '.join(cues)} among them): Δ is the mean over them; the "
            "table of ways of asking has each."
        )
    if len(sets := set_sizes(scores)) > 1:
        lines.append(
            f"{len(sets)} sets of traits were shown ({'; '.join(sets)}): Δ is the mean over them; the table of what is "
            "shown of a persona has each."
        )
    return lines


def _conservative_gaps(effects: pd.DataFrame) -> Iterator[str]:
    """Whose gaps have intervals that cover more than they should, a line for each reason."""
    if effects.empty:
        return
    tested = effects[effects["gap_p"].notna() & (effects["gap_conservative"] != "")]
    for (why,), rows in tested.groupby(["gap_conservative"], sort=False):
        names = sorted({attribute_name(str(name)) for name in rows["attribute"]})
        yield (
            f"The intervals of {len(rows):,} gaps by {', '.join(names)} are conservative ({why}): in simulated studies "
            f"like these they covered {covered(str(why), gaps=True)}."
        )


def _looked_at(effects: pd.DataFrame, adjust: Adjust) -> str:
    """How many families of gaps were tested, and over what their p-values are adjusted; "" where only one was."""
    tested = effects[effects["gap_p"].notna()] if len(effects) else effects
    families = len(tested[["model", "benchmark", "measure", "attribute"]].drop_duplicates()) if len(tested) else 0
    if families < 2:
        return ""
    looked = f"{len(tested):,} gaps in {families:,} families (model × benchmark × attribute) were tested"
    if adjust == "all":
        return f"{looked}; p is adjusted over all of them (Holm)."
    return f'{looked}; p is adjusted within each family (Holm). [report] adjust = "all" adjusts it over all of them.'


def table_names(tables: Mapping[str, pd.DataFrame]) -> Sequence[str]:
    """The tables that have rows."""
    return [name for name, table in tables.items() if len(table)]
