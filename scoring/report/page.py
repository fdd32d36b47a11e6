"""The report as one HTML file that opens anywhere: no network, no other file."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from scoring.fidelity.summary import fidelity_statements
from scoring.report.figures import Figure, figures
from scoring.report.findings import Findings, direction_of, title_of
from scoring.report.html_tables import gap_rows, html_tables
from scoring.report.methods import references
from scoring.report.names import attribute_name, level_name
from scoring.report.sentences import BRIEF, NOTHING, SIGNIFICANT, largest_gaps, statements

MAP = "world_110m"
FIDELITY = "people groups spread structure calibration reliability points slopes corrected".split()
LARGEST = 5  # gaps
# The sections that are closed until they are opened: id, title, tables.
_SECTIONS = (
    (
        "overall",
        "Tables behind the finding",
        ("effects_overall", "target", "conditionings", "ways", "aggregates", "distributions", "control", "changed"),
    ),
    ("gaps", "Gaps and families", ("gaps", "families", "counterfactuals", "twin_controls")),
    ("subgroups", "Subgroups", ()),
    ("heat", "Levels and benchmarks", ()),
    (
        "fidelity",
        "Fidelity to the respondents",
        (*(f"fidelity_{name}" for name in FIDELITY), "stated_shares"),
    ),
    ("categories", "Item categories", ("categories", "aggregates_by_category")),
    (
        "robustness",
        "How robust Δ is, and its tail",
        tuple(
            "told_traits multiverse multiverse_gaps facets specifications worst_tenth reliability answer_shift "
            "equivalence contrasts item_differences".split()
        ),
    ),
    ("covariates", "With a cheaper model's answers", ("covariates",)),
    ("formats", "Formats and rotations", ("formats", "rankings")),
    ("validity", "Answers that could not be scored", ("letters", "validity", "agreement", "recall")),
)


def page(found: Findings, geometry: str | None = None, script: str | None = None) -> str:
    """The whole page.

    `geometry` is a TopoJSON of the world with ISO 3166-1 alpha-3 ids; without it there is no map. `script` is a bundle
    of plotly.js with scatter plots and maps, the whole of it if absent.
    """
    environment = Environment(
        loader=DictLoader({"template.html": _resource("template.html")}), autoescape=True, undefined=StrictUndefined
    )
    tables = html_tables(found.tables, found.slicing.min_n)
    drawn = list(figures(found, geometry is not None))
    told = statements(found)
    sections = [
        {
            "id": name,
            "title": title,
            "figures": [figure for figure in drawn if figure.section == name],
            "tables": [tables[each] for each in shown if each in tables],
            "open": name == "fidelity" and not any(figure.section == "forest" for figure in drawn),
        }
        for name, title, shown in _SECTIONS
    ]
    return environment.get_template("template.html").render(
        found=found,
        about=found.about,
        statements=told,
        fidelity=fidelity_statements(found.tables),
        brief=len(told) <= BRIEF,
        nothing=NOTHING,
        forest=[figure for figure in drawn if figure.section == "forest"],
        countries=_tabs([figure for figure in drawn if figure.section == "countries"]),
        models=found.effects["model"].nunique() if len(found.effects) else 0,
        largest=gap_rows(largest_gaps(found.effects, LARGEST), SIGNIFICANT),
        sections=[section for section in sections if section["figures"] or section["tables"]],
        personas=tables.get("personas"),
        no_map=geometry is None and any(figure.section == "countries" for figure in drawn),
        directions=sorted(
            {(title_of(name), direction_of(name)) for name in map(str, found.effects.get("benchmark", []))}
        ),
        attributes=[("all", "everybody"), *((name, attribute_name(name)) for name in found.slicing.attributes)],
        items=_script_json(_items(found)),
        plots=_script_json({figure.id: json.loads(figure.figure.to_json()) for figure in drawn}),
        geometry=_script_json({MAP: json.loads(geometry)} if geometry else {}),
        bibtex=references(found),
        plotly=Markup(get_plotlyjs() if script is None else script),
        style=Markup(_resource("page.css")),
        script=Markup(_resource("page.js")),
    )


def _tabs(drawn: Sequence[Figure]) -> list[tuple[Figure, Figure | None]]:
    """Each figure with the one that shows the same in another way, where there is one."""
    others = {figure.same_as: figure for figure in drawn if figure.same_as}
    return [(figure, others.get(figure.id)) for figure in drawn if not figure.same_as]


def _resource(name: str) -> str:
    return files("scoring.report").joinpath(name).read_text(encoding="utf-8")


def _script_json(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in; what is not a number is null."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:  # a file from elsewhere may hold any number
        plain = json.loads(json.dumps(value), parse_constant=lambda _: None)
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


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
        groups: dict[str, dict[str, dict[str, tuple[int, float, float | None]]]] = {}
        for each in rows.itertuples():
            name = level_name(str(each.attribute), str(each.level))
            level = groups.setdefault(str(each.attribute), {}).setdefault(name, {})
            level[str(each.option)] = (int(each.answers), round(float(each.share), 4), _plain(each.changed))
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
