"""Jinja templates from outside, rendered where they can do no harm.

The sandbox keeps a template away from Python, but not from the processor: nested loops or a long multiplication would
hang or fill this process. So all rows are rendered in one child process with a bound on its time, its memory and each
text's length (`template_worker.py`); starting it costs about 0.2 s a task.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from personas.errors import InputError, MachineError

SECONDS = 60
CHARACTERS = 1_000_000
MEMORY = 2 * 1024**3


class TemplateError(Exception):
    """A template that was refused, by its index and the record's; None where it is not known which."""

    def __init__(self, clause: str, template: int | None = None, row: int | None = None) -> None:
        super().__init__(clause)
        self.template, self.row = template, row


def render(
    templates: Sequence[str], rows: Sequence[Mapping[str, Any]], seconds: int = SECONDS, limit: int = CHARACTERS
) -> list[tuple[str, ...]]:
    """Each row's texts, one a template.

    Raises TemplateError, in a clause, for a template that is wrong, reaches for Python, takes more than `seconds` over
    all rows, or gives more than `limit` characters; MachineError where the child process cannot be started.
    """
    job = {"templates": templates, "rows": rows, "limit": limit, "seconds": seconds, "memory": MEMORY}
    try:
        child = Path(__file__).with_name("template_worker.py")
        done = subprocess.run(
            [sys.executable, "-I", str(child)],
            input=json.dumps(job, default=str),
            capture_output=True,
            encoding="utf-8",
            env={name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ},  # no keys or tokens
            timeout=seconds + 5,
        )
    except subprocess.TimeoutExpired:
        raise TemplateError(f"takes more than {seconds} seconds") from None
    except OSError as error:
        raise MachineError(f"the process that renders templates cannot be started: {error.strerror}") from None
    if done.returncode:
        # Killed by the limit on processor time, or out of memory inside the interpreter.
        raise TemplateError(f"takes more than {seconds} seconds, or too much memory")
    result = json.loads(done.stdout)
    if "error" in result:
        raise TemplateError(result["error"], result["template"], result["row"])
    return [tuple(texts) for texts in result["texts"]]


def render_records(
    source: Path, templates: Mapping[str, str], records: Sequence[tuple[str, Mapping[str, Any]]]
) -> list[dict[str, str]]:
    """Each record's texts by template name. Raises InputError that names the file, or the record, and the templates."""
    if not templates:
        return [{} for _ in records]
    try:
        texts = render(list(templates.values()), [row for _, row in records])
    except TemplateError as error:
        place = source if error.row is None else f"{source} for {records[error.row][0]}"
        names = list(templates) if error.template is None else [list(templates)[error.template]]
        raise InputError(f"{place}: the template of {', '.join(names)} {error}; fix it") from None
    return [dict(zip(templates, each, strict=True)) for each in texts]
