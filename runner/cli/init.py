"""`mtpa-run init`: a commented study to start from."""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from personas.errors import InputError, MachineError
from runner.cli.console import out

SCHEMA = "mtpa.schema.json"
Kind = Literal["paper", "api", "openrouter", "vllm", "local", "fidelity"]


def init(
    kind: Annotated[
        Kind,
        typer.Argument(
            help="The paper's protocol, an API, OpenRouter, a vLLM server, a local model, or fidelity to a survey."
        ),
    ],
    path: Annotated[Path, typer.Option("--to", metavar="FILE", help="Where to write it.")] = Path("mtpa.toml"),
) -> None:
    """Write a commented study file: the paper's protocol, a study of an API or of OpenRouter with a budget, one of a
    vLLM server of your own, a local one, or one of how well a model answers a survey as its respondents."""
    if path.exists():
        raise InputError(f"{path}: exists already; name another file with --to FILE")
    shipped = files("runner.study")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(shipped.joinpath(f"templates/{kind}.toml").read_text(encoding="utf-8"), encoding="utf-8")
        # beside it, as the study's first line says: an absolute path would tell others about this machine
        path.with_name(SCHEMA).write_text(shipped.joinpath("schema.json").read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise MachineError(f"{path}: cannot be written ({error.strerror})") from None
    where = "" if path == Path("mtpa.toml") else f" --study {path}"
    out.print(
        f"Written: {escape(str(path))}, and {SCHEMA} beside it, by which an editor explains every key. "
        f"See what the study would send: mtpa-run{escape(where)} plan",
        highlight=False,
        soft_wrap=True,
    )
