"""The process in which templates from outside are rendered; `rendering.py` starts it and bounds its time.

Run by path in Python's isolated mode: it imports nothing of this project. One JSON object comes in on the standard
input (templates, rows, limit, seconds, memory), one goes out: {"texts": ...}, or {"error": ..., "template": ...,
"row": ...}.
"""

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment


class TooLong(Exception):
    """The text of one template passed the limit."""


def environment() -> ImmutableSandboxedEnvironment:
    """lm-eval's settings, in the sandbox.

    No attribute that begins with an underscore, nothing that changes its data, ranges up to 100,000; of the globals
    only `range` and `dict`.
    """
    made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    made.globals = {name: made.globals[name] for name in ("range", "dict")}
    made.filters["regex_replace"] = lambda text, pattern, repl, count=0: re.sub(pattern, repl, text, count=count)
    return made


def render(template: Template, row: Mapping[str, Any], limit: int) -> str:
    """The text of a row. Raises TooLong past `limit` characters, before they are put together."""
    parts: list[str] = []
    size = 0
    for part in template.generate(**row):
        size += len(part)
        if size > limit:
            raise TooLong(f"gives more than {limit:,} characters")
        parts.append(part)
    return "".join(parts)


def bound(seconds: int, memory: int) -> None:
    """Limit this process's memory (bytes) and processor time.

    Where the system has no such limits, the parent's time-out is what is left.
    """
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def answer(job: Mapping[str, Any]) -> dict[str, Any]:
    """What goes back to the parent."""
    place: dict[str, int | None] = {"template": None, "row": None}
    templates: list[Template] = []
    texts: list[list[str]] = []
    try:
        for place["template"], text in enumerate(job["templates"]):
            templates.append(environment().from_string(text))
        for place["row"], values in enumerate(job["rows"]):
            texts.append([])
            for place["template"], template in enumerate(templates):
                texts[-1].append(render(template, values, job["limit"]))
    except MemoryError:
        return {"error": "needs too much memory", **place}
    except Exception as error:
        return {"error": f"cannot be rendered ({type(error).__name__}: {str(error)[:200]})", **place}
    return {"texts": texts}


if __name__ == "__main__":
    task = json.load(sys.stdin)
    bound(task["seconds"], task["memory"])
    json.dump(answer(task), sys.stdout)
