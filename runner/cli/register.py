"""`mtpa-run register`: what will be asked and tested, written down before the first request."""

import typer
from rich.markup import escape

import mtpa
from runner.cli.terminal.console import out


def register(context: typer.Context) -> None:
    """Register the study before its first request: its hash goes into the database, and a JSON to publish beside it.

    Nothing is sent. Refused once there are answers, or where something else is registered; reports then say what
    differs from it.
    """
    from runner.crossing.prepare import prepared
    from runner.crossing.registration import published, register_study
    from scoring.report.export import write_text

    study = mtpa.Study.load(context.obj)
    with prepared(study) as ready:
        entry, new = register_study(ready)
    path = write_text(study.database.with_suffix(".registration.json"), published(entry))
    word = "Registered" if new else "Nothing has changed since it was registered"
    out.print(f"{word} ({entry.at}): SHA-256 {entry.sha256}", highlight=False, soft_wrap=True)
    out.print(f"Written, to be published: {escape(str(path))}", highlight=False, soft_wrap=True)
