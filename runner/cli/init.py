"""`mtpa-run init` and `mtpa-run try`: a study to start from, commented; and one of a few words that runs at once."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

import mtpa
from personas.errors import InputError, MachineError
from personas.whole_file import write_whole
from runner.cli.terminal.console import out
from runner.study.backend_kinds import backend_kinds
from runner.study.written.quick import is_same_but_for_size, quick_name, quick_study

SCHEMA = "mtpa.schema.json"
Kind = Literal["paper", "api", "anthropic", "azure", "openrouter", "vertex", "vllm", "local", "fidelity"]


def init(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help="The paper's protocol, an API, Anthropic, Azure, OpenRouter, Vertex AI, a vLLM server, a local model, "
            "or fidelity to a survey.",
        ),
    ],
    path: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to write it.")] = Path("mtpa.toml"),
) -> None:
    """Write a commented study file to start from.

    There are templates for the paper's protocol, a study with a budget on an API (OpenAI or Google, Anthropic, Azure,
    OpenRouter, Vertex AI), a vLLM server of your own, a local model, and a study of how well a model answers a survey
    as its respondents.
    """
    if path.exists():
        raise InputError(f"{path}: exists already; name another file with --to FILE")
    shipped = files("runner.study")
    try:
        write_whole(path, shipped.joinpath(f"templates/{kind}.toml").read_bytes())
        # beside it, as the study's first line says: an absolute path would tell others about this machine
        write_whole(path.with_name(SCHEMA), shipped.joinpath("schema.json").read_bytes())
    except OSError as error:
        raise MachineError(f"{path}: cannot be written ({error.strerror})") from None
    where = "" if path == Path("mtpa.toml") else f" --study {path}"
    out.print(
        f"Written: {escape(str(path))}, and {SCHEMA} beside it, by which an editor explains every key. "
        f"See what the study would send: mtpa-run{escape(where)} plan",
        highlight=False,
        soft_wrap=True,
    )


def try_model(
    model: Annotated[
        str, typer.Option(metavar="NAME", help="The model's id at its provider; a local one as in `data list`.")
    ],
    benchmark: Annotated[
        str, typer.Option(metavar="NAME[:PART]", help="What is asked: a name of `benchmarks list`, or a file.")
    ],
    n: Annotated[int, typer.Option(min=1, help="How many respondents of the starter surveys.")] = 10,
    groups: Annotated[int, typer.Option(min=1, help="How many item groups.")] = 10,
    usd: Annotated[float, typer.Option(min=0.0001, help="The most that may be spent, in US dollars.")] = 1.0,
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(kind.name for kind in backend_kinds()),
            help="Who answers; known of the pinned local models and of those that have a listed price.",
        ),
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="An endpoint that speaks chat completions, ending in /v1.")
    ] = None,
    key_env: Annotated[str | None, typer.Option(metavar="NAME", help="The environment variable with its key.")] = None,
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the study and its results are kept.")] = Path(
        "results"
    ),
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="The key belongs to the endpoint that is named.")
    ] = False,
) -> None:
    """A first look: write a study of one model and one benchmark beside its results, run it and report."""
    from runner.backends.catalogue.price_list import backend_of
    from runner.cli.study import run_study

    chat = next(kind.name for kind in backend_kinds() if kind.needs_address)
    named = backend or (chat if base_url else backend_of(model))
    if named is None:
        raise InputError(
            f"{model}: nobody's model is known by this name; add --base-url URL, or --backend "
            f"{'|'.join(kind.name for kind in backend_kinds())}"
        )
    if named not in (kinds := [kind.name for kind in backend_kinds()]):
        raise InputError(f"--backend {named}: no such backend; name one of {', '.join(kinds)}")
    table = {"backend": named, "id": model, "base_urls": [base_url] if base_url else None, "key_env": key_env}
    name, _, part = benchmark.partition(":") if not Path(benchmark).exists() else (benchmark, "", "")
    called = quick_name(model, Path(name).stem, part)
    text = quick_study(called, table, name, part or None, n, groups, usd)
    path = to / f"{called}.toml"
    study = mtpa.Study.parse(text, path)
    _keep(path, text)
    out.print(f"The study: {escape(str(path))}", highlight=False, soft_wrap=True)
    raise typer.Exit(run_study(study, None, yes=True, pilot=True, acknowledge=acknowledge))


def _keep(path: Path, text: str) -> None:
    """Write the study, also over one that asks the same of other numbers of people and items, or within another cap.

    Raises InputError where another study is there.
    """
    try:
        if path.exists() and not is_same_but_for_size(path.read_text(encoding="utf-8"), text):
            raise InputError(
                f"{path}: is there, and differs from what this command would write; change it there and run "
                f"mtpa-run --study {path}, or name another folder with --to FOLDER"
            )
        write_whole(path, text.encode())
    except OSError as error:
        raise MachineError(f"{path}: cannot be written ({error.strerror})") from None
