"""A methods section: what was done in a paragraph, the prompts, what was declared before, and BibTeX."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from scoring.report.bibliography import bibtex
from scoring.report.findings import Findings, title_of
from scoring.report.names import who_else
from scoring.report.sentences import NOTHING, statements
from scoring.statistics.clustered_errors import LEAST_GROUPS
from scoring.statistics.gaps import THESE_ITEMS
from scoring.statistics.levels import ALL
from scoring.statistics.omnibus import PERMUTATIONS


def methods_text(found: Findings) -> str:
    """Markdown: the paragraph, declared against looked at, prompts, BibTeX; what is missing stands first."""
    missing = [f"**{found.heading}**"] if found.heading else []
    told = [each.text for each in statements(found)] or [NOTHING]
    return (
        "\n\n".join(
            [
                *missing,
                "# Finding",
                *told,
                "# Methods",
                _paragraph(found),
                *_checklist(found),
                *_declared(found),
                *_prompts(found),
                *_references(found),
            ]
        )
        + "\n"
    )


def references(found: Findings) -> str:
    """BibTeX of the paper, of the methods that the paragraph names, and of the data."""
    return bibtex(_paragraph(found), found.about.get("data", []))


def _paragraph(found: Findings) -> str:
    effects, about = found.effects, found.about
    if effects.empty:
        return "No scores yet: nothing was compared."
    overall = effects[(effects["attribute"] == ALL) & (effects["measure"] == "value")]
    asked = "; ".join(
        f"{row['model']} on {title_of(str(row['benchmark']))} ({row['items']:,.0f} items in {row['groups']:,.0f} "
        f"groups, {row['personas']:,.0f} personas in {row['clusters']:,.0f} clusters)"
        for _, row in overall.iterrows()
    )
    people = (
        "a persona, which is not always a respondent" if about.get("synthetic") else "a persona of a survey respondent"
    )
    sentences = [
        f"Each model answered items with and without {people}: {asked}.",
        str(about.get("synthetic", "")),
        about.get("sampling", ""),
        about.get("asked", ""),
        "The persona effect is the mean over personas of the mean difference to the baseline on the same items and the "
        f"same order of options (persona weights: {found.slicing.weights}).",
        *_intervals(effects, who_else(int(about.get("countries", 0)))),
        *_many_items(found),
        *_levels(found),
        _rounds(found),
        *_invalid(effects),
        _resolved(about),
        _prices(about),
        *_control(effects),
        f"mtpa {about.get('code', '')}, seed {found.slicing.seed}, {about.get('trials', 0):,} trials.",
    ]
    return " ".join(sentence.strip() for sentence in sentences if sentence)


def _intervals(effects: pd.DataFrame, who: str) -> Iterator[str]:
    """How the intervals of this run were made."""
    made = set(effects[["people_method", "items_method"]].astype(str).to_numpy().ravel())
    if made & {"t", "score"}:
        yield (
            f"Intervals are at 95 %: for {who} on these items they are clustered on persona, for items like "
            "these too two-way on persona and item group (Cameron, Gelbach and Miller 2011), bias-reduced with the "
            "degrees of freedom of Bell and McCaffrey (2002)"
            + (", within the bounds of the score (Newcombe 1998; Zou and Donner 2008)." if "score" in made else ".")
        )
    if "bound" in made:
        yield "Where nothing varied, the limits are a bound on Δ and no interval."


def _many_items(found: Findings) -> Iterator[str]:
    if len(found.tables.get("aggregates", ())):
        yield (
            "Numbers that exist only over many items compare each persona with the baseline on the items and orders "
            "that both answered; their intervals are from the pigeonhole bootstrap (Owen 2007; 2,000 draws of persona "
            "clusters and of item groups, with Student's t)."
        )
    distributions = found.tables.get("distributions")
    if distributions is not None and len(distributions):
        yield (
            "Single answers were pooled into distributions before their distance to a population's was taken, at the "
            f"same number of draws on both sides ({distributions['draws'].max():.0f}), less the jackknife's bias."
        )


def _levels(found: Findings) -> Iterator[str]:
    if not found.slicing.attributes:
        yield "No subgroups were compared."
        return
    narrow = (found.effects["gap_scope"] == THESE_ITEMS).any()
    whole = found.slicing.adjust == "all"
    over = "over all gaps of this report" if whole else "within its family (model × benchmark × attribute)"
    yield (
        f"We compared levels of {', '.join(found.slicing.attributes)}; each gap to everybody else, on the items that "
        f"both have, was tested, with p adjusted {over} (Holm 1979) and "
        "Benjamini–Hochberg q beside it; the omnibus p for these items is the larger one of a permutation test, which "
        f"shuffled the attribute over people within survey ({PERMUTATIONS:,} permutations, studentised), and of a Wald "
        "test with each level's own variance, and a cluster-robust Wald test speaks of items like these "
        f"(Pustejovsky and Tipton 2018). Levels under {found.slicing.min_n} people were not tested."
    )
    if narrow:
        few = f"Gaps on fewer than {LEAST_GROUPS} item groups"
        yield f"{few} are clustered on persona alone and speak of these items only."


def _invalid(effects: pd.DataFrame) -> Iterator[str]:
    if (effects["invalid_with"] > 0).any() or (effects["invalid_without"] > 0).any():
        yield (
            "Answers that were unparsed, refused or failed were left out and their rate is reported; beside each "
            "effect stands the one with unparsed and refused answers counted as wrong."
        )
    else:
        yield "Every answer was read."


def _resolved(about: Mapping[str, Any]) -> str:
    """How models were not asked as the study says, because their endpoints take something else."""
    if not (found := about.get("resolved")):
        return ""
    return f"What endpoints do not take was left out or changed, once and for all trials: {'; '.join(found)}. "


def _prices(about: Mapping[str, Any]) -> str:
    """Where the costs in the file come from, for readers who ask what such a study costs."""
    return f"Prices are those of {about['prices']}. " if about.get("prices") else ""


def _control(effects: pd.DataFrame) -> Iterator[str]:
    """How Δ was taken net of the neutral control."""
    if effects["net"].notna().any():
        yield (
            "A neutral text of the same number of words stood in the place of the persona as a control; the effect net "
            "of it compares each persona's answer with the same respondent's control on the same item and order."
        )


def _rounds(found: Findings) -> str:
    """How a run that could end early was looked at."""
    target = found.tables.get("target")
    if target is None or target.empty:
        return ""
    row = target.iloc[0]
    of = "everybody" if row["attribute"] == ALL else f"each level of {row['attribute']}"
    adaptive = found.about.get("chances", "")
    return (
        f"Items were asked in at most {row['rounds']} {'adaptive' if adaptive else 'balanced'} rounds, until Δ of {of} "
        f"was known to ± {row['wanted']:g} for these items; {adaptive}the looks after each round spend 5 % of error "
        "together (Lan and DeMets' Pocock-type function)."
    )


def _checklist(found: Findings) -> Iterator[str]:
    """The reporting checklist, filled in from the study and its file."""
    if rows := found.about.get("checklist"):
        lines = [f"| {asked} | {_one_cell(told)} |" for asked, told in rows]
        yield "\n".join(["## Reporting checklist\n", "| asked | this study |", "|---|---|", *lines])


def _one_cell(text: str) -> str:
    """A text that neither ends its cell of a Markdown table nor its line."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _declared(found: Findings) -> Iterator[str]:
    rows = found.about.get("declared", [])
    if not rows:
        return
    changed = any(before != now for _, before, now in rows)
    note = "The report looks at something else than was declared." if changed else "Nothing was changed after the run."
    lines = [f"| {name} | `{before}` | `{now}` |{' changed' if before != now else ''}" for name, before, now in rows]
    table = "\n".join(["| [report] | declared before the run | looked at now |", "|---|---|---|", *lines])
    yield f"## Declared and looked at\n\n{note}\n\n{table}"


def _prompts(found: Findings) -> Iterator[str]:
    if found.items.empty:
        return
    # what a respondent said is restricted; the shape of the question is not
    yield "## Prompts\n\nThe questions as they are asked; the persona's text stands before them.\n\n" + "\n\n".join(
        _fenced(f"{row.question}\n" + "\n".join(f"{chr(65 + n)}. {text}" for n, text in enumerate(row.choices)))
        for row in found.items.groupby("benchmark").head(1).itertuples()
    )


def _fenced(text: str) -> str:
    """A code block that the text cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _references(found: Findings) -> Iterator[str]:
    models = json.dumps(found.about.get("models", []), indent=2, ensure_ascii=False)
    yield f"## Models\n\n{_fenced(models)}"
    yield f"## References\n\n```bibtex\n{references(found)}\n```"
