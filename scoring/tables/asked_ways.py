"""Ways of asking compared: how the answer is elicited, and by what cue a model knows who it is to be.

Neither is a random wording: each way has a Δ of its own, and the differences between them are a finding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from personas.prompt.cue_texts import CUES
from scoring.answers.items import INSTRUCTIONS
from scoring.benchmarks.registry import asked_for
from scoring.statistics.effect import effect_of
from scoring.statistics.pairs import CONTROL, TEXT, Part, Scores, parts
from scoring.statistics.subgroups import metric_of
from scoring.tables.two_runs import difference_table

NUMBERS = ("personas", "clusters", "items", "groups", "without", "with_persona", "effect")
BOUNDS = ("people_low", "people_high", "items_low", "items_high", "invalid_without", "invalid_with")
_DIFFERENCE = ("difference", "difference_low", "difference_high", "difference_items_low", "difference_items_high")


def way_table(scores: Scores, cues: Sequence[str] = CUES) -> pd.DataFrame:
    """A row a model, benchmark and way of asking, where there are several.

    Δ of the chosen options' worth, with both intervals.

    `axis` is "elicitation" or "cue", `way` its level. `difference` is Δ minus that of the first way, on the personas,
    items and orders that both have, with its intervals for these items and for items like these too; NaN in the first
    row. `cues` name the formats that are cues of their own. Every elicitation has its own baseline; the cues share one.
    `invalid_*` are the shares of answers that were not read, refused or failed.
    """
    found = list(parts(scores))
    rows = [*_elicitations(found)]
    for part in found:
        rows += _cues(part, cues)
    return pd.DataFrame(rows)


def _elicitations(found: Sequence[Part]) -> Iterator[dict[str, object]]:
    ways: dict[tuple[str, str], dict[str, Part]] = {}
    for part in found:
        label, elicitation = asked_for(part.benchmark)
        ways.setdefault((part.model, label), {})[elicitation] = replace(part, benchmark=label)
    for parts_by_way in ways.values():
        if len(parts_by_way) > 1:
            yield from _compared("elicitation", {way: parts_by_way[way] for way in INSTRUCTIONS if way in parts_by_way})


def _cues(part: Part, cues: Sequence[str]) -> Iterator[dict[str, object]]:
    if "format" not in part.scores:
        return
    alone = part.alone
    formats = [name for name in map(str, part.scores.loc[~alone, "format"].unique()) if name != CONTROL]
    if len(formats) < 2 or not set(formats) & set(cues):
        return
    order = sorted(formats, key=lambda name: (cues.index(name) + 1 if name in cues else 0, name))
    ways = {name: part.of(_of_cue(part.scores[alone | (part.scores["format"] == name)])) for name in order}
    yield from _compared("cue", ways)


def _of_cue(scores: pd.DataFrame) -> pd.DataFrame:
    """What was asked by one cue, whatever its frame and placement; those who read the same by it are a cluster."""
    if TEXT in scores:
        scores = scores.assign(cluster=scores[TEXT])
    return scores.drop(columns=[name for name in ("format", "frame", "placement", "trait_order") if name in scores])


def _compared(axis: str, ways: dict[str, Part]) -> Iterator[dict[str, object]]:
    first = next(iter(ways.values()))
    for way, part in ways.items():
        found = effect_of(part)
        head = {"model": part.model, "benchmark": part.benchmark, "axis": axis, "way": way}
        head["metric"] = metric_of(part, "value")
        numbers = {name: getattr(found, name) for name in (*NUMBERS, *BOUNDS)}
        yield {**head, **numbers, **(_difference(first, part) if part is not first else dict.fromkeys(_DIFFERENCE))}


def _difference(first: Part, second: Part) -> dict[str, float | None]:
    table = difference_table([first], [second])
    if len(table):
        table = table[(table["measure"] == "value") & (table["compared"] == "persona effect")]
    for _, row in table.iterrows():
        names = ("effect", "people_low", "people_high", "items_low", "items_high")
        return {name: float(row[each]) for name, each in zip(_DIFFERENCE, names, strict=True)}
    return dict.fromkeys(_DIFFERENCE)
