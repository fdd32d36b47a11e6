"""The report as one HTML file that opens anywhere: no network, no other file."""

import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from scoring.fidelity.summary import fidelity_sentences
from scoring.report.figures import figures
from scoring.report.findings import Findings, direction_of, title_of
from scoring.report.methods import bibtex
from scoring.report.names import attribute_name, level_name
from scoring.report.numbers import cell
from scoring.report.sentences import NOTHING, statements

SHOWN_PERSONAS = 200
MAP = "world_110m"
FIDELITY = "people groups spread structure calibration reliability points slopes corrected".split()
_SECTIONS = (
    (
        "overall",
        "Persona effect",
        ("effects_overall", "target", "conditionings", "aggregates", "distributions", "control", "changed"),
    ),
    ("countries", "Countries", ()),
    ("subgroups", "Subgroups", ()),
    ("heat", "Levels and benchmarks", ()),
    (
        "fidelity",
        "Fidelity to the respondents",
        (*(f"fidelity_{name}" for name in FIDELITY), "stated_shares"),
    ),
    ("gaps", "Gaps and families", ("gaps", "families", "counterfactuals")),
    ("categories", "Item categories", ("categories", "aggregates_by_category")),
    ("formats", "Formats and rotations", ("formats", "rankings")),
    ("validity", "Answers that could not be scored", ("letters", "validity", "agreement", "recall")),
)
_TITLES = {
    "effects_overall": "Persona effect Δ = with − without",
    "target": "Rounds until the target: the interval that holds though it was looked at while the run went on",
    "conditionings": "Δ by what is shown of a persona, and its difference to the smallest set of traits",
    "aggregates": "Over many items, on the items and orders that both sides answered: pigeonhole bootstrap intervals",
    "aggregates_by_category": "The same for each item category",
    "distributions": "Answers as a distribution: similarity to the population's, at as many draws on both sides",
    "changed": "How many answers changed, by chance alone, and with the neutral text",
    "control": "The neutral control beside the personas",
    "gaps": "Δ by level, and the gap to everybody else with Holm-adjusted p and Benjamini–Hochberg q",
    "families": "Does the attribute matter at all: permutation p; disparity = max − min, beside what chance gives",
    "categories": "Δ by item category",
    "fidelity_people": "Agreement with the respondent's own answer, beside what needs no model",
    "fidelity_groups": "Distance of the model's answers to the people's, beside a second sample of as many people",
    "fidelity_spread": "Spread within levels, and what sets them apart, of the model's answers over the people's",
    "fidelity_structure": "Correlations between the questions, the model's against the people's",
    "fidelity_calibration": "Brier score of the probabilities and its parts",
    "fidelity_reliability": "The reliability curve: how often an option of this probability was the respondent's",
    "fidelity_points": "Fidelity and Δ of the same people, by level, with standard errors",
    "fidelity_slopes": "How much Δ changes with fidelity over the levels",
    "fidelity_corrected": "Shares and means from the model's answers, corrected by a part of the people's own",
    "stated_shares": "What the model says a country's people answer, beside what they answered (1 is equal)",
    "counterfactuals": "One trait changed in the same respondent: average marginal component effects",
    "formats": "How much of Δ's variance is wording, rotation and replicate",
    "rankings": "Agreement of the subgroup ranking between formats (Kendall's τ)",
    "letters": "What the letters held of the first token's probability",
    "validity": "Unparsed, refused and failed answers; scores with them left out and as wrong",
    "agreement": "How often the text's letter is the likeliest letter",
    "recall": "Recall per option slot",
    "personas": "Personas, the largest |Δ| first (a hash stands for the respondent)",
}
_OVERALL = [
    *(
        "model",
        "benchmark",
        "metric",
        "personas",
        "clusters",
        "effective",
        "items",
        "groups",
        "without",
        "with_persona",
    ),
    *("effect", "people_low", "people_high", "people_method", "items_low", "items_high", "items_method", "resolvable"),
    *("neutral", "net", "net_low", "net_high"),
    *("invalid_without", "invalid_with", "effect_as_wrong", "as_wrong_low", "as_wrong_high"),
]
_GAPS = [
    *("model", "benchmark", "metric", "attribute", "level", "personas", "effect", "people_low", "people_high"),
    *(
        "items_low",
        "items_high",
        "net",
        "net_low",
        "net_high",
        "gap",
        "gap_low",
        "gap_high",
        "gap_p",
        "gap_holm",
        "gap_q",
        "gap_resolvable",
        "gap_scope",
        "gap_items",
        "gap_least",
        "gap_most",
        "effect_as_wrong",
    ),
]


def page(found: Findings, geometry: str | None = None, script: str | None = None) -> str:
    """The whole page. `geometry` is a TopoJSON of the world with ISO 3166-1 alpha-3 ids; without it there is no map.
    `script` is a bundle of plotly.js with scatter plots and maps, the whole of it if absent."""
    environment = Environment(
        loader=DictLoader({"template.html": _resource("template.html")}), autoescape=True, undefined=StrictUndefined
    )
    tables = _tables(found)
    drawn = list(figures(found, geometry is not None))
    sections = [
        {
            "id": name,
            "title": title,
            "figures": [figure for figure in drawn if figure.section == name],
            "tables": [tables[each] for each in shown if each in tables],
        }
        for name, title, shown in _SECTIONS
    ]
    return environment.get_template("template.html").render(
        found=found,
        about=found.about,
        statements=statements(found),
        fidelity=fidelity_sentences(found.tables),
        nothing=NOTHING,
        sections=[section for section in sections if section["figures"] or section["tables"]],
        personas=tables.get("personas"),
        no_map=geometry is None and any(section["id"] == "countries" and section["figures"] for section in sections),
        directions=sorted(
            {(title_of(name), direction_of(name)) for name in map(str, found.effects.get("benchmark", []))}
        ),
        attributes=[("all", "everybody"), *((name, attribute_name(name)) for name in found.slicing.attributes)],
        items=_script_json(_items(found)),
        plots=_script_json({figure.id: json.loads(figure.figure.to_json()) for figure in drawn}),
        geometry=_script_json({MAP: json.loads(geometry)} if geometry else {}),
        bibtex=bibtex(found),
        plotly=Markup(get_plotlyjs() if script is None else script),
        style=Markup(_resource("page.css")),
        script=Markup(_resource("page.js")),
    )


def _resource(name: str) -> str:
    return files("scoring.report").joinpath(name).read_text(encoding="utf-8")


def _script_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _tables(found: Findings) -> dict[str, dict[str, Any]]:
    """The tables as the template shows them: title, columns, rows of (text, is a number), rows to grey."""
    effects = found.effects
    chosen = {name: table for name, table in found.tables.items() if name in _TITLES and len(table)}
    if len(effects):
        overall = effects["attribute"] == "all"
        chosen["effects_overall"] = effects.loc[overall, _OVERALL]
        if (~overall).any():
            chosen["gaps"] = effects.loc[~overall, [*_GAPS, "hidden"]]
    if "personas" in chosen:
        chosen["personas"] = chosen["personas"].head(SHOWN_PERSONAS)
    return {
        name: _table(_TITLES[name], table, found.slicing.min_n, len(found.tables.get(name, table)))
        for name, table in chosen.items()
    }


def _table(title: str, table: pd.DataFrame, min_n: int, whole: int) -> dict[str, Any]:
    shown = table.drop(columns=["hidden", *(["measure"] if "metric" in table else [])], errors="ignore")
    hidden = table["hidden"].to_numpy() if "hidden" in table else [False] * len(table)
    rows = []
    for values, is_hidden in zip(shown.itertuples(index=False, name=None), hidden, strict=True):
        cells = [_cell(name, value, is_hidden) for name, value in zip(shown.columns, values, strict=True)]
        named = dict(zip(shown.columns, values, strict=True))
        people = named.get("personas", math.inf)
        cells = [_in_words(name, text, named) for name, text in zip(shown.columns, cells, strict=True)]
        rows.append({"cells": cells, "grey": bool(is_hidden) or ("gap" in shown.columns and people < min_n)})
    note = f"The first {len(table):,} of {whole:,} rows; the CSV has them all." if len(table) < whole else ""
    return {"title": title, "columns": [name.replace("_", " ") for name in shown.columns], "rows": rows, "note": note}


def _cell(name: str, value: Any, hidden: bool) -> tuple[str, bool]:
    """A cell's text, and whether it is a number."""
    if isinstance(value, float | int) and not isinstance(value, bool):
        withheld = hidden and name == "personas" and math.isnan(value)
        if name in ("effective", "weight") or isinstance(value, int):
            return (f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"), True
        return ("under 5 people: hidden" if withheld else cell(name, value)), True
    return str(value), False


def _in_words(column: str, shown: tuple[str, bool], row: Mapping[str, Any]) -> tuple[str, bool]:
    """An attribute, a level, a country or a benchmark by its name."""
    text, is_number = shown
    if column == "attribute":
        return attribute_name(text), False
    if column == "level":
        return level_name(str(row.get("attribute", "")), text), False
    if column in ("country", "gender", "age_band") and text:
        return level_name(column, text), False
    return (title_of(text), False) if column == "benchmark" else (text, is_number)


def _items(found: Findings) -> list[dict[str, Any]]:
    """What the item page shows: each question with its answers by persona group, those that move most first."""
    items, answers = found.tables["items"], found.tables["answers"]
    if items.empty or answers.empty or found.items.empty:
        return []
    texts = found.items.set_index("item_id")
    by_item = dict(list(answers.groupby(["model", "item_id"], observed=True)))
    shown = []
    for row in items.itertuples():
        rows = by_item.get((row.model, row.item_id))
        if rows is None or row.item_id not in texts.index:
            continue
        text = texts.loc[row.item_id]
        groups: dict[str, dict[str, dict[str, tuple[int, float]]]] = {}
        for each in rows.itertuples():
            name = level_name(str(each.attribute), str(each.level))
            level = groups.setdefault(str(each.attribute), {}).setdefault(name, {})
            level[str(each.option)] = (int(each.answers), round(float(each.share), 4))
        numbers = {
            name: _plain(getattr(row, name))
            for name in ("without", "with_persona", "effect", "spread", "moved", "by_chance")
        }
        head = {"model": str(row.model), "benchmark": title_of(str(row.benchmark)), "id": str(row.item_id)}
        shown.append(
            {
                **head,
                "question": text["question"],
                "choices": list(text["choices"]),
                "right": list(text.get("right", [])),
                "groups": groups,
                **numbers,
            }
        )
    return sorted(shown, key=_beyond_chance)


def _beyond_chance(item: Mapping[str, Any]) -> tuple[float, float]:
    """The items whose answers change most beside what chance changes, then those that differ most among people."""
    return -((item["moved"] or 0.0) - (item["by_chance"] or 0.0)), -(item["spread"] or 0.0)


def _plain(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), 4)
