"""From survey files to a clean persona set, with a report of everything that was left out on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from personas.errors import InputError
from personas.people.respondents import Respondents
from personas.people.sample import require_weights
from personas.surveys.clean import MissingRule, drop_sparse, fill_rates, near_duplicates
from personas.surveys.reader import Reading, read_files
from personas.surveys.survey import Survey, load_survey


@dataclass(frozen=True)
class Request:
    """One survey to build from: its name (or a TOML file of the user's), its files, and the waves to keep."""

    survey: str
    paths: tuple[Path, ...]
    waves: tuple[int, ...] = ()


@dataclass(frozen=True)
class Options:
    """How to clean. `weights` says that every survey must bring its weights."""

    rule: MissingRule = field(default_factory=MissingRule)
    agreement: float = 0.95
    shared: int = 50
    weights: bool = False


@dataclass(frozen=True)
class SurveyReport:
    """What became of one survey: rows and columns in and out, and each thing left out with its reason."""

    survey: str
    title: str
    files: tuple[str, ...]
    rows_in: int
    rows_out: int
    columns_in: int
    traits_out: int
    near_duplicates: int
    not_in_file: tuple[str, ...]
    sparse: Mapping[str, float]
    no_scale: Mapping[str, str]
    off_scale: Mapping[str, Mapping[str, int]]
    proxies: Mapping[str, str]
    fill: Mapping[str, float]
    notes: tuple[str, ...]


def build(requests: Sequence[Request], options: Options) -> tuple[list[Respondents], list[SurveyReport]]:
    """Read and clean every survey; one Respondents and one report a survey, in the order asked for.

    Raises InputError where a file is not what it should be, or the same people would be there twice.
    """
    surveys = [load_survey(request.survey) for request in requests]
    _refuse_overlap(surveys)
    parts, reports = [], []
    for request, survey in zip(requests, surveys, strict=True):
        part, report = _build_one(request, survey, options)
        parts.append(part)
        reports.append(report)
    return parts, reports


def _refuse_overlap(surveys: Sequence[Survey]) -> None:
    names = [survey.survey for survey in surveys]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two descriptions call themselves {repeated!r}: rename one of them")
    for survey in surveys:
        if both := [name for name in survey.contains if name in names]:
            raise InputError(f"{survey.survey!r} holds the respondents of {both[0]!r} already: name one of the two")


def _build_one(request: Request, survey: Survey, options: Options) -> tuple[Respondents, SurveyReport]:
    reading = read_files(survey, request.paths, request.waves, options.rule)
    if options.weights:
        require_weights(reading.respondents)
    kept, sparse = drop_sparse(reading.respondents, options.rule)
    repeated = near_duplicates(kept, options.agreement, options.shared)
    if repeated.any():
        kept = replace(kept, frame=kept.frame.loc[~repeated].reset_index(drop=True))
    return kept, _report(request, survey, reading, kept, {**reading.sparse, **sparse}, int(np.sum(repeated)))


def _report(
    request: Request, survey: Survey, reading: Reading, kept: Respondents, sparse: Mapping[str, float], repeated: int
) -> SurveyReport:
    source = kept.sources[survey.survey]
    return SurveyReport(
        survey=survey.survey,
        title=survey.title,
        files=tuple(path.name for path in request.paths),
        rows_in=reading.rows,
        rows_out=len(kept),
        columns_in=reading.columns,
        traits_out=len(kept.traits),
        near_duplicates=repeated,
        not_in_file=tuple(reading.absent),
        sparse={name: round(rate, 4) for name, rate in sparse.items()},
        no_scale=reading.skipped,
        off_scale=reading.strays,
        proxies={name: note for name, note in source.proxies.items() if name in kept.traits},
        fill={name: round(rate, 4) for name, rate in fill_rates(kept).items()},
        notes=tuple(reading.notes),
    )


@dataclass(frozen=True)
class Mapped:
    """What became of one trait of a description: whether its variable is in the file, the share of respondents who
    answered (0 to 1), and the values that were no answers, with their counts."""

    trait: str
    variable: str
    found: bool
    filled: float
    off_scale: Mapping[str, int]
    proxy: str


@dataclass(frozen=True)
class Check:
    """What a description makes of a file: the traits it describes, how many extended ones the file adds, the variables
    that are no traits and why, and what would make `build` refuse the file."""

    described: tuple[Mapped, ...]
    extended: int
    no_scale: Mapping[str, str]
    problems: tuple[str, ...]


def check(survey: Survey, path: Path) -> Check:
    """Try a description on a data file, for somebody who writes one."""
    reading = read_files(survey, [path], tolerant=True)
    rates = fill_rates(reading.respondents)
    described = tuple(
        Mapped(name, source.variable, name in rates, rates.get(name, 0.0), reading.strays.get(name, {}), source.proxy)
        for name, (_, source) in survey.defined().items()
    )
    extended = len(rates) - sum(1 for each in described if each.found)
    return Check(described, extended, reading.skipped, tuple(reading.problems))
