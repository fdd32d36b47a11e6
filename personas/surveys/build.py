"""From survey files to a clean persona set, with a report of everything that was left out on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from personas.errors import InputError
from personas.people.respondents import Respondents
from personas.people.sample import require_weights
from personas.surveys.clean import MissingRule, drop_sparse, fill_rates, near_duplicates
from personas.surveys.reader import read_files
from personas.surveys.reading import Reading, ValueRow
from personas.surveys.survey import Survey, load_survey
from personas.traits import Trait


@dataclass(frozen=True)
class SurveyRequest:
    """One survey to build from: its name (or a TOML file of the user's) and its files.

    `waves` are those to keep; the country (alpha-3) is for files that have no column of countries.
    """

    survey: str
    paths: tuple[Path, ...]
    waves: tuple[int, ...] = ()
    country: str = ""


@dataclass(frozen=True)
class BuildOptions:
    """How to clean. `weights` says that every survey must bring its weights."""

    rule: MissingRule = field(default_factory=MissingRule)
    agreement: float = 0.95
    shared: int = 50
    weights: bool = False


@dataclass(frozen=True)
class NearDuplicate:
    """A respondent who was dropped for repeating another, by persona id; `agreement` is a share of 0 to 1."""

    dropped: str
    kept: str
    agreement: float


@dataclass(frozen=True)
class SurveyReport:
    """What became of one survey: rows and columns in and out, and each thing left out with its reason.

    `traits_out` counts the traits that a prompt can tell; `silent` lists those whose codes nothing explains.
    """

    survey: str
    title: str
    files: tuple[str, ...]
    rows_in: int
    rows_out: int
    columns_in: int
    traits_out: int
    described: tuple[str, ...]
    near_duplicates: tuple[NearDuplicate, ...]
    not_in_file: tuple[str, ...]
    sparse: Mapping[str, float]
    silent: tuple[str, ...]
    no_scale: Mapping[str, str]
    off_scale: Mapping[str, Mapping[str, int]]
    proxies: Mapping[str, str]
    fill: Mapping[str, float]
    notes: tuple[str, ...]


def build(requests: Sequence[SurveyRequest], options: BuildOptions) -> tuple[list[Respondents], list[SurveyReport]]:
    """Read and clean every survey; one Respondents and one report a survey, in the order asked for.

    Raises InputError where a file is not what it should be, or the same people would be there twice.
    """
    surveys = [load_survey(request.survey) for request in requests]
    _refuse_overlap(surveys)
    parts, reports = [], []
    for request, survey in zip(requests, surveys, strict=True):
        _refuse_absent(request, survey)
        part, report = _build_one(request, survey, options)
        parts.append(part)
        reports.append(report)
    return parts, reports


def _refuse_absent(request: SurveyRequest, survey: Survey) -> None:
    """Raises InputError for a file that is not there: where it is to be had, and how to name it."""
    if absent := next((path for path in request.paths if not path.exists()), None):
        raise InputError(
            f"{absent}: there is no such file. {survey.title}: {survey.licence}. Once you have it, say where it "
            f"lies: --survey {request.survey}=FILE"
        )


def _refuse_overlap(surveys: Sequence[Survey]) -> None:
    names = [survey.survey for survey in surveys]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two descriptions call themselves {repeated!r}: rename one of them")
    for survey in surveys:
        if both := [name for name in survey.contains if name in names]:
            raise InputError(f"{survey.survey!r} holds the respondents of {both[0]!r} already: name one of the two")


def _build_one(request: SurveyRequest, survey: Survey, options: BuildOptions) -> tuple[Respondents, SurveyReport]:
    reading = read_files(survey, request.paths, request.waves, options.rule, country=request.country)
    if options.weights:
        require_weights(reading.respondents)
    kept, sparse = drop_sparse(reading.respondents, options.rule)
    repeats = near_duplicates(kept, options.agreement, options.shared)
    ids = kept.frame["persona_id"]
    doubles = tuple(NearDuplicate(ids[each.row], ids[each.earlier], round(each.agreement, 4)) for each in repeats)
    if repeats:
        kept = replace(kept, frame=kept.frame.drop(index=[each.row for each in repeats]).reset_index(drop=True))
    return kept, _report(request, survey, reading, kept, {**reading.sparse, **sparse}, doubles)


def _is_described(trait: Trait) -> bool:
    """Whether a prompt can say anything of the trait: those of the opening line have no section."""
    return trait.use != "extended" or bool(trait.section)


def _report(
    request: SurveyRequest,
    survey: Survey,
    reading: Reading,
    kept: Respondents,
    sparse: Mapping[str, float],
    doubles: tuple[NearDuplicate, ...],
) -> SurveyReport:
    source, defined = kept.sources[survey.survey], survey.defined()
    first = sorted(sparse, key=lambda name: name.split(" (")[0] not in defined)
    return SurveyReport(
        survey=survey.survey,
        title=survey.title,
        files=tuple(path.name for path in request.paths),
        rows_in=reading.rows,
        rows_out=len(kept),
        columns_in=reading.columns,
        traits_out=sum(map(_is_described, kept.traits.values())),
        described=tuple(defined),
        near_duplicates=doubles,
        not_in_file=tuple(reading.absent),
        sparse={name: round(sparse[name], 4) for name in first},
        silent=tuple(name for name, trait in kept.traits.items() if not _is_described(trait)),
        no_scale=reading.skipped,
        off_scale=reading.strays,
        proxies={name: note for name, note in source.proxies.items() if name in kept.traits},
        fill={name: round(rate, 4) for name, rate in fill_rates(kept).items()},
        notes=(*reading.notes, *reading.warnings),
    )


@dataclass(frozen=True)
class Mapped:
    """What became of one trait of a description.

    Whether its variable is in the file and what it asks there, the share of respondents who answered (0 to 1), the
    values that were not answers with their counts, and every value.
    """

    trait: Trait
    variable: str
    found: bool
    question: str
    filled: float
    off_scale: Mapping[str, int]
    proxy: str
    values: tuple[ValueRow, ...]


@dataclass(frozen=True)
class Check:
    """What a description makes of a file.

    The traits it describes, how many extended ones the file adds and which of them are silent, the variables that are
    no traits and why, what to look at, and what would make `build` refuse the file.
    """

    described: tuple[Mapped, ...]
    extended: int
    silent: tuple[str, ...]
    no_scale: Mapping[str, str]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]


def check(survey: Survey, path: Path, country: str = "") -> Check:
    """Try a description on a data file, for somebody who writes one."""
    reading = read_files(survey, [path], tolerant=True, country=country)
    rates, traits = fill_rates(reading.respondents), reading.respondents.traits
    variables = reading.respondents.sources[survey.survey].variables
    described = tuple(
        Mapped(
            trait,
            variables.get(name, " or ".join(source.variables)),
            name in rates,
            reading.questions.get(name, ""),
            rates.get(name, 0.0),
            reading.strays.get(name, {}),
            source.proxy,
            tuple(reading.values.get(name, ())),
        )
        for name, (trait, source) in survey.defined().items()
    )
    silent = tuple(name for name, trait in traits.items() if not _is_described(trait))
    extended = len(rates) - sum(1 for each in described if each.found) - len(silent)
    return Check(
        described,
        extended,
        silent,
        reading.skipped,
        tuple(reading.notes),
        tuple(reading.warnings),
        tuple(reading.problems),
    )
