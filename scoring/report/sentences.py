"""The finding in sentences: what personas did, how sure that is, and on how much. Every output prints these."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from scoring.answers.metrics import ANSWER, ELICITED
from scoring.benchmarks.registry import measured
from scoring.fidelity.summary import fidelity_sentences
from scoring.report.findings import Findings, title_of, too_few
from scoring.report.names import attribute_name, people_of, who_else
from scoring.report.numbers import chance, p_value, points, points_interval, score
from scoring.report.robustness.robustness_sentences import robustness_sentences
from scoring.statistics.clustered_errors import BOUND, LEAST_GROUPS
from scoring.statistics.coverage_figures import covered
from scoring.statistics.designs.power import hardest_gap
from scoring.statistics.levels import ALL

SIGNIFICANT = 0.05
ONE_LETTER = 0.9  # the share of answers from which on a letter was chosen for its place
DRAWN = {ANSWER, *ELICITED.values()}  # what is a draw at a temperature
MANY_UNREAD = 0.05  # a share of the answers
BRIEF = 3  # findings with every sentence; where there are more, a terminal shows the first of each
NOTHING = "No scores yet: nothing to report."
_VERBS = {True: "raised", False: "lowered"}


@dataclass(frozen=True)
class Finding:
    """What was found of one model and benchmark: the effect in a sentence, and what qualifies it."""

    model: str
    benchmark: str
    effect: str
    rest: tuple[str, ...]

    @property
    def text(self) -> str:
        """All of it, in one paragraph."""
        return " ".join([self.effect, *self.rest])


def finding(found: Findings) -> list[str]:
    """The finding of a study as paragraphs, the same for every output.

    What is missing first, then a paragraph for each model and benchmark, then one for how well each model plays the
    respondents.
    """
    missing = [found.heading] if found.heading else []
    told = [*(each.text for each in statements(found)), *fidelity_sentences(found.tables)]
    return [*missing, *(told or [NOTHING])]


def statements(found: Findings) -> list[Finding]:
    """What was found, by model and benchmark."""
    return [_statement(found, row) for _, row in headline(found.effects).iterrows()]


def headline(effects: pd.DataFrame) -> pd.DataFrame:
    """The one row of each model and benchmark that the finding is about.

    By letter probabilities where they were asked for, as they show more than the likeliest letter. Of each model the
    benchmark of most items stands first.
    """
    if effects.empty:
        return effects
    overall = effects[effects["attribute"] == ALL]
    shown = overall.groupby(["model", "benchmark"], observed=True, sort=False).tail(1)
    place = {model: number for number, model in enumerate(shown["model"].unique())}
    order = shown["model"].map(place).astype(int) * 1_000_000_000 - shown["items"]
    return shown.loc[order.sort_values(kind="stable").index]


def largest_gaps(effects: pd.DataFrame, most: int = 3) -> pd.DataFrame:
    """The largest gaps that were tested, of the rows that the finding is about, with the people in words as `who`."""
    if effects.empty:
        return effects
    keys = ["model", "benchmark", "measure"]
    tested = effects[effects["gap_p"].notna()].merge(headline(effects)[keys], on=keys)
    order = tested["gap"].abs().sort_values(ascending=False, kind="stable").index[:most]
    names = zip(tested["attribute"].astype(str), tested["level"].astype(str), strict=True)
    return tested.assign(who=[people_of(*each) for each in names]).loc[order]


def _statement(found: Findings, row: pd.Series) -> Finding:
    name = f"{row['model']} on {title_of(str(row['benchmark']))}"
    who = who_else(int(found.about.get("countries", 0)))
    if not row["pairs"]:
        why = (
            "nothing was asked without a persona, so there is no Δ; its own table has its scores"
            if math.isnan(row["invalid_without"])
            else "no persona and baseline answer could be paired; there is nothing to compare"
        )
        return Finding(str(row["model"]), str(row["benchmark"]), f"{name}: {why}.", ())
    qualified = (*_unread(row), *_neutral(row), *_changes(found, row), *_gap(found, row))
    rest = (*qualified, *robustness_sentences(found.tables, row))
    return Finding(str(row["model"]), str(row["benchmark"]), f"{name}: {_effect(row, who)}", rest)


def metric_words(benchmark: str) -> str:
    """What the score of a benchmark is: "accuracy", "stereotyped"."""
    known = measured(benchmark)
    return known.metric if known else "score"


def _effect(row: pd.Series, who: str) -> str:
    """Direction, size and interval; "not shown" where the interval holds no change."""
    metric, change = metric_words(str(row["benchmark"])), points(row["effect"])
    size = f"{_count(row['personas'], 'person', 'people')}, {_count(row['items'], 'item', 'items')}"
    levels = f"{score(row['without'])} without a persona and {score(row['with_persona'])} with one"
    if row["items_method"] == BOUND:
        bounds = points_interval(row["items_low"], row["items_high"])
        return f"every persona scored alike, {metric} {levels} ({size}). {bounds} bounds Δ; it is no interval."
    if math.isnan(row["items_low"]):
        few = f"{too_few(row['groups'])} to speak of other items"
        why = few if row["groups"] < LEAST_GROUPS else "there are too few people, or baseline answers, for an interval"
        return f"{metric} {levels}: Δ = {change} ({size}). How sure that is cannot be said: {why}."
    bounds = points_interval(row["items_low"], row["items_high"])
    wide = f", which covers {covered(row['conservative'])} in simulation" if row["conservative"] else ""
    sure = f"95% interval {bounds}{wide}, for {who} and items like these; {size}"
    if row["items_low"] > 0 or row["items_high"] < 0:
        verb = _VERBS[bool(row["effect"] > 0)]
        return f"personas {verb} the score: {metric} {levels}, Δ = {change} ({sure})."
    least = points(row["resolvable"], signed=False)
    return (
        f"no effect of personas is shown. {metric.capitalize()} {levels}, Δ = {change} ({sure}); "
        f"effects under {least} had under 80% power."
    )


def _unread(row: pd.Series) -> Iterator[str]:
    """Answers that were left out, where they are more than a few."""
    if max(row["invalid_without"], row["invalid_with"]) >= MANY_UNREAD:
        shares = f"{chance(row['invalid_without'])} of the answers without a persona and {chance(row['invalid_with'])}"
        yield f"Left out, as unparsed, refused or failed, were {shares} of those with one: what remains is a selection."


def _neutral(row: pd.Series) -> Iterator[str]:
    """What the neutral text does alone, and Δ net of it."""
    if math.isnan(row["net"]):
        return
    alone = f"A neutral text as long as the persona moves the score by {points(row['neutral'])}"
    if not math.isnan(row["neutral_low"]):
        alone += f" ({points_interval(row['neutral_low'], row['neutral_high'])})"
    text = f"{alone}; net of it, personas move it by {points(row['net'])}"
    if math.isnan(row["net_low"]):
        yield f"{text}."
        return
    shown = row["net_low"] > 0 or row["net_high"] < 0
    verdict = "which the text alone does not explain" if shown else "so an effect of who is described is not shown"
    yield f"{text} ({points_interval(row['net_low'], row['net_high'])}), {verdict}."


def _changes(found: Findings, row: pd.Series) -> Iterator[str]:
    """How many answers changed, and how many would by chance."""
    table = found.tables.get("changed")
    if table is None or table.empty:
        return
    for _, each in table[(table["model"] == row["model"]) & (table["benchmark"] == row["benchmark"])].iterrows():
        neutral = "" if math.isnan(each["neutral"]) else f", the neutral text {chance(each['neutral'])}"
        if math.isnan(each["by_chance"]):
            by_chance = "how many would change by chance alone is not known, as the baseline was sampled once"
        elif each["by_chance"] == 0:
            by_chance = _none_by_chance(found, str(row["model"]), str(row["metric"]))
        else:
            by_chance = f"by chance alone {chance(each['by_chance'])} would change"
        yield f"Personas changed {chance(each['changed'])} of {each['answers']:,} choices{neutral}; {by_chance}."
        if each["top_share"] >= ONE_LETTER:
            yield (
                f"The model chose {each['top_letter']} in {chance(each['top_share'])} of its answers as somebody, "
                "whichever option stood there: its choices say little of what it prefers."
            )


def _none_by_chance(found: Findings, model: str, metric: str) -> str:
    """Why chance changes no answers: none is drawn, or all draws agreed."""
    known: Mapping[str, Any] = next((each for each in found.about.get("models", ()) if each["name"] == model), {})
    if metric in DRAWN and known.get("answer") == "text" and known.get("parameters", {}).get("temperature") != 0:
        return "by chance alone none would change, as every answer drawn again without a persona was the same"
    if known.get("provider") == "local" and known["dtype"] != "float32":
        return f"no answer is drawn, but rounding in {known['dtype']} alone turns some that are nearly even"
    if known.get("provider", "local") != "local":
        return "no answer is drawn; how many the endpoint would give otherwise when asked again is not known"
    return "by chance alone none would change, as no answer is drawn"


def _gap(found: Findings, row: pd.Series) -> Iterator[str]:
    """The largest gap that holds after Holm, or from which size on there would have been power to see one."""
    effects = found.effects
    here = (effects[["model", "benchmark", "measure"]] == row[["model", "benchmark", "measure"]]).all(axis=1)
    levels = effects[here & (effects["attribute"] != ALL)]
    if levels.empty:
        return
    names = _listed([attribute_name(name) for name in levels["attribute"].unique()])
    tested = levels[levels["gap_p"].notna()]
    holds = tested[tested["gap_holm"] < SIGNIFICANT]
    if len(holds):
        top = holds.loc[holds["gap"].abs().idxmax()]
        who, more = people_of(str(top["attribute"]), str(top["level"])), "above" if top["gap"] > 0 else "below"
        size = points(abs(top["gap"]), signed=False)
        bounds = points_interval(top["gap_low"], top["gap_high"])
        p = p_value(top["gap_holm"]).replace("<", "< ")
        p = p if p.startswith("<") else f"= {p}"
        over = "all gaps" if found.slicing.adjust == "all" else "the levels of its attribute"
        others = f"; {len(holds) - 1} more {'holds' if len(holds) == 2 else 'hold'}" if len(holds) > 1 else ""
        yield (
            f"The largest gap by {names} that holds: Δ of {who} is {size} {more} everybody "
            f"else's ({bounds}, p {p} after Holm over {over}{others})."
        )
    elif tested.empty:
        yield f"Gaps by {names} were not tested: no level has {found.slicing.min_n} people whose answers vary."
    else:
        least = max(hardest_gap(levels) for _, levels in tested.groupby("attribute"))
        power = f"; gaps under {points(least, signed=False)} had under 80% power" if least > 0 else ""
        names = _listed([attribute_name(name) for name in tested["attribute"].unique()])
        yield f"No gap by {names} is shown{power}."


def _count(number: float, one: str, many: str) -> str:
    return f"{number:,.0f} {one if number == 1 else many}"


def _listed(names: Sequence[str]) -> str:
    """A, B or C."""
    return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
