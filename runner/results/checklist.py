"""The reporting checklist of a study, filled in: facts of its file and its study file, and nothing else."""

import pandas as pd

from runner.crossing.registration import EXCLUDED, Comparison
from runner.study.config import Study
from scoring.report.findings import Findings, title_of

NONE = "no registration is in the file: nothing of this study was registered before its first request"


def registration_words(compared: Comparison) -> dict[str, str]:
    """What a report says of the study's registration.

    `registration` is for a methods section; `not_registered` stands before everything else where something differs,
    else it is "".
    """
    if compared.entry is None:
        return {"registration": NONE, "not_registered": ""}
    told = f"registered on {compared.entry.at}, before the first request (SHA-256 {compared.entry.sha256})"
    if not compared.differences:
        return {"registration": f"{told}; nothing differs from it", "not_registered": ""}
    differences = "; ".join(compared.differences)
    heading = f"Not as registered on {compared.entry.at[:10]}: {differences}."
    return {"registration": f"{told}; not as registered: {differences}", "not_registered": heading}


def checklist(study: Study, found: Findings) -> list[tuple[str, str]]:
    """What a report of such a study is asked, and this study's answer."""
    about, section = found.about, study.report
    where = "; ".join(f"only {name} in {', '.join(values)}" for name, values in study.personas.where.items())
    over = "all gaps of the report" if section.adjust == "all" else "the levels of each model × benchmark × attribute"
    return [
        ("What was asked", f"{_benchmarks(found.effects)} {about.get('asked', '')}"),
        ("Who answered (n)", _people(found.effects)),
        ("Sampling", str(about.get("sampling", ""))),
        ("Weights", f"drawn: {study.personas.weights}; reported: {section.weights}"),
        ("Exclusions", f"{where or 'no respondents by attribute'}; {EXCLUDED}; gaps of levels under {section.min_n} "
         "people are not tested"),
        ("Families of tests", f"{', '.join(found.slicing.attributes) or 'none'}; Holm over {over}"),
        ("Looks at the data", _looks(study)),
        ("Models, versions and dates", _models(study, found)),
        ("How answers became numbers", _metrics(found.effects)),
        ("Registration", str(about.get("registration", NONE))),
    ]  # fmt: skip


def _benchmarks(effects: pd.DataFrame) -> str:
    """Every benchmark once, with its number of items."""
    if effects.empty:
        return "nothing so far."
    counts = effects[effects["attribute"] == "all"].groupby("benchmark", observed=True, sort=False)["items"].max()
    return "; ".join(f"{title_of(str(name))} ({count:,.0f} items)" for name, count in counts.items()) + "."


def _people(effects: pd.DataFrame) -> str:
    """How many personas there are behind the Δ of each model."""
    if effects.empty:
        return "nobody so far"
    counts = effects[effects["attribute"] == "all"].groupby("model", observed=True, sort=False)["personas"].max()
    return "; ".join(f"{name}: {count:,.0f} personas" for name, count in counts.items())


def _looks(study: Study) -> str:
    if study.target is None:
        return "one, after the run: the study has no rule by which it ends early"
    of = study.target.by or "everybody"
    told = f"at most {study.target.rounds}, until Δ of {of} is known to ± {study.target.half_width:g}"
    if study.target.allocation == "equal":
        return told
    by = f" and strata ({', '.join(study.target.strata)})" if study.target.strata else ""
    return (
        f"{told}; after the first round item groups{by} that vary more were asked more (Neyman allocation), weighed by "
        "the inverse of their chances"
    )


def _models(study: Study, found: Findings) -> str:
    """Each model as its endpoint called itself, and when it was asked."""
    asked = {each.name for each in study.models}
    told = [
        f"{each['name']}: {each['provider']} {each['model']}"
        + (f", revision {each['revision']}" if each["revision"] else "")
        + (f", served as {each['served']}" if each["served"] else "")
        for each in found.about.get("models", [])
        if each["name"] in asked
    ]
    when = f"last run from {found.about.get('started', '')} to {found.about.get('ended') or 'now'}"
    return "; ".join([*told, when])


def _metrics(effects: pd.DataFrame) -> str:
    if effects.empty or "metric" not in effects:
        return "no answers so far"
    pairs = effects[["benchmark", "measure", "metric"]].astype(str).drop_duplicates()
    return "; ".join(
        f"{title_of(name)}, {measure}: {metric}" for name, measure, metric in pairs.itertuples(index=False)
    )
