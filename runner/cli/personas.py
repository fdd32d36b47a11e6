"""`mtpa-run personas`: build, check, export, show and summary."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from personas.errors import InputError, nearest
from personas.people.allocation import Allocation
from personas.people.respondents import Respondents
from personas.people.sample import deviation, sample, split
from personas.prompt.render import Format, Frame, Variant, render
from personas.prompt.trait_sets import chosen_traits
from personas.release.card import dataset_card
from personas.release.jsonl import write_jsonl
from personas.release.parquet import replaced, write_personas
from personas.release.read import read_personas, refuse_restricted
from personas.surveys.build import Options, Request, SurveyReport, build, check
from personas.surveys.clean import MissingRule, fill_rates
from personas.surveys.survey import load_survey
from runner.cli.console import out as console

app = typer.Typer(no_args_is_help=True, help="Turn survey files into personas, and look at them.")
_MANY = 12

Personas = Annotated[Path, typer.Option("--personas", help="personas.parquet, MTPA.jsonl or mpta.json")]
_DEFAULT = Path("personas.parquet")
_STRATA = "country,age_band,gender"


@app.command("build")
def build_command(
    survey: Annotated[list[str], typer.Option(help="NAME=FILE; again for more files of the same survey or others")],
    out: Annotated[Path, typer.Option(help="the file to write")] = _DEFAULT,
    wave: Annotated[list[str] | None, typer.Option(help="NAME=YEAR[,YEAR...]: other waves than the usual")] = None,
    missing_limit: Annotated[float, typer.Option(min=0, max=1, help="most that may be missing of a variable")] = 0.15,
    missing_by: Annotated[Literal["survey", "country"], typer.Option(help="what that is counted over")] = "survey",
    not_asked: Annotated[Literal["missing", "ignored"], typer.Option(help='what "not asked" counts as')] = "missing",
    weights: Annotated[bool, typer.Option("--weights", help="refuse a survey file without weights")] = False,
) -> None:
    """Build personas.parquet from the files that you registered for."""
    requests = _requests(survey, wave or [])
    rule = MissingRule(missing_limit, missing_by, not_asked)
    parts, reports = build(requests, Options(rule, weights=weights))
    write_personas(out, parts, {"rule": asdict(rule), "surveys": [asdict(report) for report in reports]})
    for report in reports:
        _print_report(console, report)
    console.print(f"[bold]{sum(map(len, parts)):,} personas[/bold] in {escape(str(out))}")
    for source in [source for part in parts for source in part.restricted()]:
        console.print(f"[dim]{escape(source.title)}: {escape(source.licence)}.[/dim]")


def _requests(surveys: Sequence[str], waves: Sequence[str]) -> list[Request]:
    files: dict[str, list[Path]] = {}
    for each in surveys:
        name, path = _pair(each, "--survey", "wvs7=FILE")
        files.setdefault(name, []).append(Path(path))
    years: dict[str, tuple[int, ...]] = {}
    for each in waves:
        name, numbers = _pair(each, "--wave", "gss=2018,2021")
        if name not in files:
            raise InputError(f"--wave {each}: no such --survey; {nearest(name, files)}")
        try:
            years[name] = tuple(int(number) for number in numbers.split(","))
        except ValueError:
            raise InputError(f"--wave {each}: expected years, such as gss=2018,2021") from None
    return [Request(name, tuple(paths), years.get(name, ())) for name, paths in files.items()]


def _pair(given: str, option: str, example: str) -> tuple[str, str]:
    name, sign, value = given.partition("=")
    if not (name and sign and value):
        raise InputError(f"{option} {given}: expected NAME=..., such as {option} {example}")
    return name, value


def _print_report(console: Console, report: SurveyReport) -> None:
    table = Table(title=Text(report.title), title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("respondents", f"{report.rows_in:,} in the file, {report.rows_out:,} kept")
    table.add_row("near-duplicates dropped", f"{report.near_duplicates:,}")
    table.add_row("variables", f"{report.columns_in:,} in the file, {report.traits_out:,} traits kept")
    core = {name: rate for name, rate in report.fill.items() if ":" not in name}
    lines = {
        "too many missing": [f"{name} {rate:.0%}" for name, rate in report.sparse.items()],
        "no scale": [f"{name} ({why})" for name, why in report.no_scale.items()],
        "not in the file": list(report.not_in_file),
        "values off the scale": [f"{name} {dict(values)}" for name, values in report.off_scale.items()],
        "answered": [f"{name} {rate:.0%}" for name, rate in core.items()],
        "proxies": [f"{name}: {note}" for name, note in report.proxies.items()],
        "notes": list(report.notes),
    }
    for title, entries in lines.items():
        if entries:
            shown = entries if title in ("answered", "proxies") else entries[:_MANY]
            more = f" … and {len(entries) - len(shown)} more" if len(entries) > len(shown) else ""
            table.add_row(title, Text(("\n" if title in ("proxies", "notes") else ", ").join(shown) + more))
    console.print(table)
    console.print()


@app.command("check")
def check_command(
    description: Annotated[str, typer.Argument(help="the TOML file of a survey, or a built-in survey's name")],
    data: Annotated[Path, typer.Option(help="the survey's data file")],
) -> None:
    """Say what a survey description makes of a data file: what maps, and what does not."""
    survey = load_survey(description)
    found = check(survey, data)
    table = Table("trait", "variable", "answered", "note", title=Text(f"{survey.title}: {data.name}"))
    for each in found.described:
        strays = ", ".join(f"{count} × {value}" for value, count in each.off_scale.items())
        notes = [each.proxy, f"off the scale: {strays}" if strays else "", "" if each.found else "not in this file"]
        answered = f"{each.filled:.0%}" if each.found else "–"
        table.add_row(Text(each.trait), Text(each.variable), answered, Text("; ".join(filter(None, notes))))
    console.print(table)
    console.print(
        f"{sum(each.found for each in found.described)} of {len(found.described)} described traits found, and "
        f"{found.extended} extended traits from the file itself."
    )
    for variable, why in found.no_scale.items():
        console.print(Text(f"no trait: {variable} ({why})"))
    if found.problems:
        raise InputError(f"{len(found.problems)} columns are not what they should be: " + "; ".join(found.problems))


@app.command("export")
def export_command(
    personas: Personas = _DEFAULT,
    out: Annotated[Path, typer.Option(help="the folder to write into")] = Path("release"),
    n: Annotated[int, typer.Option(min=1, help="respondents in the sample")] = 50_000,
    stratify: Annotated[str, typer.Option(help="what the sample is stratified by")] = _STRATA,
    allocation: Annotated[Allocation, typer.Option(help="equal: the same number a country")] = "proportional",
    weights: Annotated[bool, typer.Option("--weights", help="sample by the surveys' weights")] = False,
    minimum: Annotated[int, typer.Option(min=0, help="at least so many in every cell")] = 0,
    seed: Annotated[int, typer.Option(help="another seed, another sample")] = 0,
    compress: Annotated[bool, typer.Option("--gzip", help="write .jsonl.gz")] = False,
    i_may_share: Annotated[bool, typer.Option("--i-may-share", help="you have leave to pass these rows on")] = False,
) -> None:
    """Write MTPA.jsonl (the sample, core traits, train/test split), MTPA-base.jsonl (everyone) and a dataset card."""
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
    console.print(f"split: {parts.get('train', 0):,} train, {parts.get('test', 0):,} test")


def _write_release(out: Path, drawn: Respondents, everyone: Respondents, suffix: str) -> dict[str, int]:
    """Both JSONL files, in a folder that is made if need be; the number of personas in each."""
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
    personas: Personas = _DEFAULT,
    format: Annotated[Format, typer.Option(help="how it is written")] = "prose",
    frame: Annotated[Frame, typer.Option(help="whose it is")] = "role",
    traits: Annotated[str, typer.Option(help="core, demographic, all, all-but:NAME, or names")] = "core",
    trait_order: Annotated[int, typer.Option(min=0, help="0, or another permutation")] = 0,
) -> None:
    """Print one persona as a model gets it."""
    respondents = read_personas(personas)
    rows = respondents.frame.index[respondents.frame["persona_id"] == persona_id]
    if not len(rows):
        raise InputError(
            f"{personas} has no persona {persona_id!r}; the first is {respondents.frame['persona_id'].iloc[0]!r}"
        )
    named = traits in ("core", "demographic", "all") or traits.startswith("all-but:")
    shown = chosen_traits(traits if named else [name.strip() for name in traits.split(",")], respondents.traits)
    persona = next(respondents.take(rows).personas())
    variant = Variant(format, frame, "prompt", trait_order)
    console.print(Text(render(persona, respondents.traits, shown, variant)), soft_wrap=True)


@app.command("summary")
def summary_command(personas: Personas = _DEFAULT) -> None:
    """Count countries, ages and genders, and say how well each trait is filled."""
    respondents = read_personas(personas)
    console.print(f"[bold]{len(respondents):,} personas[/bold] in {escape(str(personas))}")
    for name in ("survey", "country", "age_band", "gender"):
        counts = respondents.attribute(name).value_counts().sort_index()
        told = ", ".join(f"{level} {count:,}" for level, count in counts.items())
        console.print(Text(f"{name.replace('_', ' ')} ({len(counts)}): {told}"))
    table = Table("trait", "answered", "proxy", title="core traits")
    rates = fill_rates(respondents)
    proxies = {name: each.survey for each in respondents.sources.values() for name in each.proxies}
    for name in (name for name in rates if respondents.traits[name].use != "extended"):
        table.add_row(Text(name), f"{rates[name]:.0%}", Text(proxies.get(name, "")))
    console.print(table)
    extended = [rate for name, rate in rates.items() if respondents.traits[name].use == "extended"]
    if extended:
        console.print(f"{len(extended)} extended traits, answered by {sum(extended) / len(extended):.0%} on average.")
