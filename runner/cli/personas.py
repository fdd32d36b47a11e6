"""`mtpa-run personas`: list, init, check, build, show, summary and export."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from personas.errors import InputError, nearest
from personas.people.draws import Allocation
from personas.prompt.written_forms import Format, Frame
from runner.cli.terminal.console import AsJson, print_json
from runner.cli.terminal.console import out as console
from runner.cli.terminal.help import WholeHelp

if TYPE_CHECKING:
    from personas.people.respondents import Respondents
    from personas.surveys.build import SurveyRequest

app = typer.Typer(cls=WholeHelp, no_args_is_help=True, help="Turn survey files into personas, and look at them.")

Personas = Annotated[Path, typer.Option("--personas", metavar="FILE", help="personas.parquet, MTPA.jsonl or mpta.json")]
Source = Annotated[
    str, typer.Option("--personas", metavar="FILE|SURVEY", help="a file of personas, or the name of a built-in survey")
]
CountryOption = Annotated[str, typer.Option(metavar="CODE", help="the country of a file without a column of countries")]
_DEFAULT = Path("personas.parquet")
_STRATA = "country,age_band,gender"


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every survey that is described already: its waves, where its file is to be had and on what terms."""
    from personas.surveys.survey import known_surveys, load_survey
    from runner.cli.terminal.persona_tables import print_surveys

    found = [load_survey(name) for name in known_surveys()]
    if as_json:
        names = ("survey", "title", "wave", "licence", "citation", "restricted", "synthetic", "untried")
        rows = [{name: getattr(each, name) for name in names} | {"fetched": bool(each.asset)} for each in found]
        print_json({"surveys": rows})
        return
    print_surveys(found)


@app.command("build")
def build_command(
    survey: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=FILE",
            help="a survey of `personas list` or a .toml, and its file, folder or pattern (dir/*.sav); again for more",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="the file to write")] = _DEFAULT,
    wave: Annotated[
        list[str] | None, typer.Option(metavar="NAME=YEAR[,YEAR...]", help="other waves than the usual")
    ] = None,
    country: Annotated[
        list[str] | None, typer.Option(metavar="NAME=CODE", help="the country of files without a column of countries")
    ] = None,
    missing_limit: Annotated[
        float, typer.Option(min=0, max=1, help="a variable of which more is missing is left out")
    ] = 0.15,
    missing_by: Annotated[Literal["survey", "country"], typer.Option(help="what that is counted over")] = "survey",
    not_asked: Annotated[Literal["missing", "ignored"], typer.Option(help='what "not asked" counts as')] = "missing",
    weights: Annotated[bool, typer.Option("--weights", help="refuse a survey file without weights")] = False,
    as_json: AsJson = False,
) -> None:
    """Build personas.parquet from the files that you registered for."""
    from personas.release.parquet import write_personas
    from personas.surveys.build import BuildOptions, build
    from personas.surveys.clean import MissingRule
    from runner.cli.terminal.persona_tables import print_report

    requests = _requests(survey, wave or [], country or [])
    rule = MissingRule(missing_limit, missing_by, not_asked)
    parts, reports = build(requests, BuildOptions(rule, weights=weights))
    write_personas(out, parts, {"rule": asdict(rule), "surveys": [asdict(report) for report in reports]})
    if as_json:
        print_json({"personas": sum(map(len, parts)), "file": out, "surveys": [asdict(report) for report in reports]})
        return
    for report in reports:
        print_report(report)
    if any(set(report.sparse) & set(report.described) for report in reports):
        console.print("More is kept with --missing-limit, or --not-asked ignored where only a part was asked.")
    console.print(f"[bold]{sum(map(len, parts)):,} personas[/bold] in {escape(str(out))}")
    for source in [source for part in parts for source in part.restricted()]:
        console.print(f"[dim]{escape(source.title)}: {escape(source.licence)}.[/dim]")


def _requests(surveys: Sequence[str], waves: Sequence[str], countries: Sequence[str]) -> "list[SurveyRequest]":
    from personas.surveys.build import SurveyRequest

    files: dict[str, list[Path]] = {}
    for each in surveys:
        name, path = _pair(each, "--survey", "wvs7=FILE")
        files.setdefault(name, []).extend(_expanded(path))
    years: dict[str, tuple[int, ...]] = {}
    for each in waves:
        name, numbers = _named(each, "--wave", "gss=2018,2021", files)
        try:
            years[name] = tuple(int(number) for number in numbers.split(","))
        except ValueError:
            raise InputError(f"--wave {each}: expected years, such as gss=2018,2021") from None
    where = {}
    for each in countries:
        name, code = _named(each, "--country", "wvs7=IND", files)
        where[name] = _alpha3(each, code)
    return [
        SurveyRequest(name, tuple(paths), years.get(name, ()), where.get(name, "")) for name, paths in files.items()
    ]


def _expanded(path: str) -> list[Path]:
    """The files of a folder or pattern, in the order of their names. Raises InputError where there is none."""
    from personas.surveys.data_file import FORMATS

    folder = Path(path)
    if folder.is_dir():
        found = [each for each in folder.iterdir() if each.suffix.lower() in FORMATS and not each.name.startswith(".")]
    elif has_magic(path) and not folder.exists():
        fixed = next(at for at, part in enumerate(folder.parts) if has_magic(part))
        found = list(Path(*folder.parts[:fixed]).glob(str(Path(*folder.parts[fixed:]))))
    else:
        return [folder]
    if not found:
        raise InputError(f"--survey: no survey file in {path}; known: {', '.join(FORMATS)}")
    return sorted(found)


def _named(given: str, option: str, example: str, files: Mapping[str, object]) -> tuple[str, str]:
    name, value = _pair(given, option, example)
    if name not in files:
        raise InputError(f"{option} {given}: no such --survey; {nearest(name, files)}")
    return name, value


def _alpha3(given: str, code: str) -> str:
    from personas.countries import called, parse_country

    found = parse_country(code) or called(code)
    if found is None:
        raise InputError(f"--country {given}: {code!r} is not a country; expected an ISO 3166-1 code, such as IND")
    return found


def _one_country(given: str) -> str:
    """The country of the one file that a command reads, given as CODE or, as for `build`, as NAME=CODE."""
    return _alpha3(given, given.rpartition("=")[2]) if given else ""


def _pair(given: str, option: str, example: str) -> tuple[str, str]:
    name, sign, value = given.partition("=")
    if not (name and sign and value):
        raise InputError(f"{option} {given}: expected NAME=..., such as {option} {example}")
    return name, value


@app.command("check")
def check_command(
    description: Annotated[
        str, typer.Argument(metavar="SURVEY", help="the TOML file of a survey, or a name of `personas list`")
    ],
    data: Annotated[Path, typer.Option(metavar="FILE", help="the survey's data file")],
    country: CountryOption = "",
    as_json: AsJson = False,
) -> None:
    """Say what a survey description makes of a data file: what every value becomes, and what does not map."""
    from personas.surveys.build import check
    from personas.surveys.survey import load_survey
    from runner.cli.terminal.persona_tables import as_plain, print_check

    survey = load_survey(description)
    found = check(survey, data, _one_country(country))
    if as_json:
        print_json({"survey": survey.survey, "title": survey.title, "file": data, **as_plain(found)})
    else:
        print_check(f"{survey.title}: {data.name}", found)
    if found.problems:
        count = len(found.problems)
        columns = "1 column is not what it should be" if count == 1 else f"{count} columns are not what they should be"
        raise InputError(f"{columns}: {'; '.join(found.problems)}")


@app.command("init")
def init_command(
    data: Annotated[Path, typer.Argument(metavar="FILE", help="a survey's data file that no description is of")],
    country: CountryOption = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="the .toml to write; named as the data")] = None,
) -> None:
    """Draft the description of a survey from its file's own questions and labels, for you to correct."""
    from personas.surveys.drafts.survey_draft import draft
    from personas.whole_file import replaced

    path = out or Path(f"{data.stem}.toml")
    if path.suffix != ".toml" or path.exists():
        raise InputError(f"{path} is there already, or does not end in .toml: name another with --out")
    drafted = draft(data, _one_country(country))
    with replaced(path) as file:
        file.write(drafted.text.encode())
    console.print(Text(f"Found: {', '.join(drafted.found) or 'no trait of the catalogue'}"), soft_wrap=True)
    for line in drafted.open:
        console.print(Text(f"Still to be said: {line}"), soft_wrap=True)
    console.print(
        Text(f"Written: {path}. Correct it, then: mtpa-run personas check {path} --data {data}"), soft_wrap=True
    )


@app.command("export")
def export_command(
    personas: Personas = _DEFAULT,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="the folder to write into")] = Path("release"),
    n: Annotated[int, typer.Option(min=1, help="respondents in the sample")] = 50_000,
    stratify: Annotated[str, typer.Option(metavar="NAMES", help="what the sample is stratified by")] = _STRATA,
    allocation: Annotated[
        Allocation,
        typer.Option(help="equal: the same number for each level of the first of --stratify, then in proportion"),
    ] = "proportional",
    weights: Annotated[bool, typer.Option("--weights", help="sample by the surveys' weights")] = False,
    minimum: Annotated[int, typer.Option(min=0, help="at least so many in every cell")] = 0,
    seed: Annotated[int, typer.Option(help="another seed, another sample")] = 0,
    compress: Annotated[bool, typer.Option("--gzip", help="write .jsonl.gz")] = False,
    i_may_share: Annotated[bool, typer.Option("--i-may-share", help="you have leave to pass these rows on")] = False,
) -> None:
    """Write MTPA.jsonl (the sample, core traits, train/test split), MTPA-base.jsonl (everyone) and a dataset card."""
    from personas.people.sample import deviation, sample, split
    from personas.release.card import dataset_card
    from personas.release.read import read_personas, refuse_restricted
    from personas.whole_file import replaced

    everyone = read_personas(personas)
    if not i_may_share:
        refuse_restricted(everyone)
    strata = [name.strip() for name in stratify.split(",") if name.strip()]
    drawn = sample(
        everyone,
        min(n, len(everyone)),
        strata,
        seed,
        allocation,
        "survey" if weights else "none",
        minimum,
    )
    drawn = split(drawn, strata, seed)
    files = _write_release(out, drawn, everyone, ".jsonl.gz" if compress else ".jsonl")
    with replaced(out / "README.md") as file:
        file.write(dataset_card(everyone, files).encode())
    for name, count in files.items():
        console.print(f"{count:,} personas in {escape(str(out / name))}")
    cell, gap = deviation(everyone, drawn, strata)
    console.print(f"largest deviation of a joint cell from the source: {gap:+.3%} ({escape(cell)})")
    parts = drawn.frame["split"].value_counts()
    train, test = int(parts.get("train", 0)), int(parts.get("test", 0))
    console.print(f"split: {train:,} train, {test:,} test ({test / (train + test):.1%} for testing)")


def _write_release(out: Path, drawn: "Respondents", everyone: "Respondents", suffix: str) -> dict[str, int]:
    """Both JSONL files, in a folder that is made if need be; the number of personas in each."""
    from personas.release.jsonl import write_jsonl

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: {error.strerror}") from None
    return {
        f"MTPA{suffix}": write_jsonl(out / f"MTPA{suffix}", drawn, core_only=True),
        f"MTPA-base{suffix}": write_jsonl(out / f"MTPA-base{suffix}", everyone, core_only=False),
    }


@app.command("show")
def show_command(
    persona_id: Annotated[str, typer.Argument(metavar="ID", help="survey:wave:respondent")],
    personas: Source = str(_DEFAULT),
    format: Annotated[Format, typer.Option(help="how it is written")] = "prose",
    frame: Annotated[Frame, typer.Option(help="whose it is")] = "role",
    traits: Annotated[
        str, typer.Option(metavar="NAMES", help="core, demographic, all, all-but:NAME, or names")
    ] = "core",
    trait_order: Annotated[int, typer.Option(min=0, help="0, or another permutation")] = 0,
    as_json: AsJson = False,
) -> None:
    """Print one persona as a model gets it."""
    from personas.prompt.render import Variant, render
    from personas.prompt.trait_sets import chosen_traits

    respondents = _respondents(personas)
    rows = respondents.frame.index[respondents.frame["persona_id"] == persona_id]
    if not len(rows):
        raise InputError(
            f"{personas} has no persona {persona_id!r}; the first is {respondents.frame['persona_id'].iloc[0]!r}"
        )
    named = traits in ("core", "demographic", "all") or traits.startswith("all-but:")
    shown = chosen_traits(traits if named else [name.strip() for name in traits.split(",")], respondents.traits)
    persona = next(respondents.take(rows).personas())
    variant = Variant(format, frame, "prompt", trait_order)
    text = render(persona, respondents.traits, shown, variant)
    if as_json:
        answers = {name: respondents.traits[name].label(code) for name, code in persona.answers.items()}
        print_json({"persona_id": persona_id, "text": text, "answers": answers})
        return
    console.print(Text(text), soft_wrap=True)


def _respondents(source: str) -> "Respondents":
    """The respondents of a file, or of a built-in survey whose answers are free to fetch."""
    from personas.release.read import read_personas
    from personas.surveys.reader import read_survey
    from personas.surveys.survey import known_surveys, load_survey
    from runner.study.assets import fetch

    if source not in known_surveys():
        return read_personas(Path(source))
    survey = load_survey(source)
    if not survey.asset:
        raise InputError(f"--personas {source}: its file is not ours to give; build it with `mtpa-run personas build`")
    return read_survey(survey, fetch(survey.asset))


@app.command("summary")
def summary_command(personas: Source = str(_DEFAULT), as_json: AsJson = False) -> None:
    """Count countries, ages and genders, and say how well each trait is filled."""
    from personas.surveys.clean import fill_rates

    respondents = _respondents(personas)
    known = {"age_band": "age", "gender": "gender"}
    names = ("survey", "country", *(name for name, trait in known.items() if trait in respondents.frame))
    levels = {name: respondents.attribute(name).value_counts().sort_index().to_dict() for name in names}
    rates = fill_rates(respondents)
    proxies = {name: [each.survey for each in respondents.sources.values() if name in each.proxies] for name in rates}
    if as_json:
        traits = {name: {"answered": rate, "proxy_in": proxies[name]} for name, rate in rates.items()}
        print_json({"personas": len(respondents), "levels": levels, "traits": traits})
        return
    console.print(f"[bold]{len(respondents):,} personas[/bold] in {escape(personas)}")
    for name, counts in levels.items():
        shown = ", ".join(f"{level} {count:,}" for level, count in counts.items())
        console.print(Text(f"{name.replace('_', ' ')} ({len(counts)}): {shown}"))
    table = Table("trait", "answered", "proxy in", title="core traits")
    for name in (name for name in rates if respondents.traits[name].use != "extended"):
        table.add_row(Text(name), f"{rates[name]:.0%}", Text(", ".join(proxies[name])))
    console.print(table)
    extended = [rate for name, rate in rates.items() if respondents.traits[name].use == "extended"]
    if extended:
        console.print(f"{len(extended)} extended traits, answered by {sum(extended) / len(extended):.0%} on average.")
