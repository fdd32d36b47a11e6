"""What `mtpa-run` does with the files of a study: merge, bundle, unbundle, rehydrate, import, export."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

import mtpa
from personas.errors import InputError
from runner.cli.terminal.console import err, out


def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Databases of one study, such as its shards.")],
    into: Annotated[Path, typer.Option(metavar="FILE", help="The file that gets everything; made if absent.")],
) -> None:
    """Join databases: answers by their key, scores, failures, spending; merging again changes nothing."""
    from runner.store.merge import merge as merged

    found = merged(sources, into)
    counts = ", ".join(f"{name} {found.brought.get(table, 0):,}" for table, name in _COUNTED.items())
    out.print(f"New in {escape(str(into))}: {counts}.", highlight=False, soft_wrap=True)
    if found.conflicting:
        out.print(f"{found.conflicting:,} requests have two answers; the first is kept:", highlight=False)
        for key, kept, other in found.conflicts:
            out.print(escape(f"  {key[:16]}…: kept {kept}, not {other}"), highlight=False, soft_wrap=True)
        if found.conflicting > len(found.conflicts):
            out.print(f"  and {found.conflicting - len(found.conflicts):,} more", highlight=False)
    if found.left_out:
        remark = f"{found.left_out:,} scores of answers that were not kept are left out: `mtpa-run` scores them anew."
        err.print(remark, highlight=False, soft_wrap=True)
    for remark in found.remarks:
        err.print(escape(f"{remark[0].upper()}{remark[1:]}."), highlight=False, soft_wrap=True)


_COUNTED = {"completion": "answers", "score": "scores", "failure": "failures", "run": "runs"}


MayShare = Annotated[
    bool, typer.Option("--i-may-share", help="With the personas: you have leave of the surveys' publishers.")
]


def bundle(
    context: typer.Context,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Beside the database if absent.")] = None,
    share: MayShare = False,
) -> None:
    """The study, its versions and its redacted database in one archive that makes every table again."""
    from runner.sharing.bundle import write_bundle

    study = mtpa.Study.load(context.obj)
    path = write_bundle(study, to or study.database.with_suffix(".bundle.zip"), share)
    what = "with its personas" if share else "redacted: hashes of respondents and the columns of [report]"
    line = f"Written: {path}, {path.stat().st_size / 1e6:,.1f} MB, {what}."
    out.print(escape(line), highlight=False, soft_wrap=True)


def unbundle(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE", help="An archive of `mtpa-run bundle`.")],
    to: Annotated[Path, typer.Option(metavar="FOLDER", help="A new folder.")],
) -> None:
    """Unpack a bundle, after checking it; its reports need no survey file."""
    from runner.sharing.bundle import unbundle as unpacked

    study = unpacked(path, to)
    command = f"mtpa-run --study {study.path}"
    out.print(
        escape(
            f"Unpacked. {command} report: its tables. If you hold the survey's file, put it where [personas] sources "
            f"says, and {command} rehydrate puts the personas back."
        ),
        highlight=False,
        soft_wrap=True,
    )


def rehydrate(context: typer.Context) -> None:
    """Put the personas of an unpacked bundle back, from the survey's file that the study names."""
    from runner.sharing.rehydrate import rehydrate as put_back

    found = put_back(mtpa.Study.load(context.obj))
    out.print(f"{found.personas:,} personas and {found.answers:,} answers are whole again.", highlight=False)
    if found.gone:
        remark = f"{found.gone:,} long answers were not in the bundle: their scores stay, a run would ask them again."
        out.print(remark, highlight=False, soft_wrap=True)


def import_logs(
    context: typer.Context,
    logs: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOG…",
            help="Inspect logs (.eval or .json), samples_….jsonl of lm-evaluation-harness, or folders with them.",
        ),
    ],
) -> None:
    """Import answers that Inspect or lm-evaluation-harness got to the same prompts.

    They become a model of their own, whose name says that it is imported and which is compared with itself alone.
    """
    from runner.crossing.prepare import prepared
    from runner.sharing.import_answers import import_answers, read_logs

    study = mtpa.Study.load(context.obj)
    read = read_logs(logs)
    with prepared(study) as ready:
        found = import_answers(ready, read)
    out.print(f"{found.new:,} answers are new, {found.known:,} were there before.", highlight=False)
    for reason, count in found.left_out.items():
        if count:
            out.print(escape(f"Left out: {count:,} {reason}."), highlight=False, soft_wrap=True)
    if found.new:
        out.print("Next: mtpa-run scores them, asks what else the study asks, and reports.", highlight=False)


def export(
    context: typer.Context,
    inspect: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Inspect logs, for `inspect view --log-dir FOLDER`.")
    ] = None,
    hf: Annotated[
        Path | None, typer.Option("--hf", metavar="FOLDER", help="Parquet and a card, for `datasets.load_dataset`.")
    ] = None,
    lm_eval: Annotated[
        Path | None,
        typer.Option(
            "--lm-eval", metavar="FOLDER", help="What the study asks, prompts and all, as lm-evaluation-harness tasks."
        ),
    ] = None,
    every_eval_ever: Annotated[
        Path | None,
        typer.Option(
            "--every-eval-ever", metavar="FOLDER", help="Each model's overall numbers in the schema of Every Eval Ever."
        ),
    ] = None,
    organization: Annotated[
        str, typer.Option(metavar="NAME", help="Who reports them, for --every-eval-ever.")
    ] = "unknown",
    share: MayShare = False,
) -> None:
    """The last run's trials for other tools, redacted: hashes of respondents and the columns of [report].

    With --lm-eval what is asked, not what was answered: the personas' text stands in it.
    """
    if inspect is None and hf is None and lm_eval is None and every_eval_ever is None:
        raise InputError(
            "name what to export: --inspect, --hf, --lm-eval or --every-eval-ever with a FOLDER, or several"
        )
    study = mtpa.Study.load(context.obj)
    written: list[Path] = []
    if inspect is not None:
        from runner.sharing.inspect_logs import require_inspect

        require_inspect()
    if lm_eval is not None:
        from runner.crossing.prepare import prepared
        from runner.sharing.lm_eval_tasks import write_lm_eval_tasks

        with prepared(study) as ready:
            written += write_lm_eval_tasks(ready, lm_eval, share)
    if every_eval_ever is not None:
        from runner.sharing.every_eval_ever import write_every_eval_ever

        written += write_every_eval_ever(study, every_eval_ever, organization)
    if inspect is not None or hf is not None:
        written += _answered(study, inspect, hf, share)
    size, many = sum(each.stat().st_size for each in written) / 1e6, "file" if len(written) == 1 else "files"
    out.print(f"Written: {len(written):,} {many}, {size:,.1f} MB.", highlight=False)


def _answered(study: "mtpa.Study", inspect: Path | None, hf: Path | None, share: bool) -> list[Path]:
    """Exports of what was answered, from a redacted copy."""
    from runner.sharing.redaction import temporary_copy

    written: list[Path] = []
    with temporary_copy(study.database, study.report, share) as copy:
        if inspect is not None:
            from runner.sharing.inspect_logs import write_inspect_logs

            written += write_inspect_logs(copy, inspect, study.study, share)
        if hf is not None:
            from runner.sharing.huggingface import write_dataset

            written += write_dataset(study, copy, hf, share)
    return written
