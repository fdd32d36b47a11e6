"""The study that `mtpa-run try` writes: one model, one benchmark, a few respondents of the starter surveys."""

import re
from typing import Any

from runner.study.backend_kinds import backend_kind
from runner.study.written.toml_writer import toml_text

_HEAD = """# Written by `mtpa-run try`, to be kept: change it, and run it with `mtpa-run --study` and its path.
"""
_SIZE = re.compile(r"^(?:n|groups|usd|confirm_above) = \S+$", re.MULTILINE)


def quick_study(
    name: str, model: dict[str, Any], benchmark: str, part: str | None, people: int, groups: int, usd: float
) -> str:
    """The study's text; its file and its results are called `name`.

    `model` is its [[models]] table but for `name`; a model behind an endpoint writes a letter, a local one shows the
    letters' probabilities.
    """
    if not backend_kind(model["backend"]).is_local:
        short = {"temperature": 0.0, "max_tokens": 16}
        model = {"answer": "text", "decoding": short, "allow_dropped": ["temperature"], "concurrency": 16, **model}
    tables = {
        "study": {
            "name": name,
            "database": f"{name}.sqlite",
        },
        "personas": {"sources": ["starter_wvs3", "starter_gss2018"], "n": people, "allocation": "equal"},
        "variants": {"neutral": True},
        "benchmarks": [{"name": benchmark, "part": part, "groups": groups}],
        "models": [{"name": model["id"].rpartition("/")[2] or model["id"], **model}],
        "budget": {"usd": usd, "confirm_above": usd},
        "report": {"by": ["country", "gender", "age_band"]},
    }
    return _HEAD + toml_text(tables)


def quick_name(*parts: str) -> str:
    """What the study and its files are called: the parts, of what a file's name may have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(["try", *filter(None, parts)])).strip("-")


def is_same_but_for_size(one: str, other: str) -> bool:
    """Whether two texts differ in no line but those of how many people and item groups are asked, and of the budget."""
    return _SIZE.sub("", one) == _SIZE.sub("", other)
