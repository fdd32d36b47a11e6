"""Where benchmarks are found: entry points in the group `mtpa.benchmarks`, and files."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import pandas as pd

from personas.errors import InputError, nearest
from scoring.answers.items import INSTRUCTIONS, Elicitation
from scoring.benchmarks.base import Benchmark
from scoring.statistics.many_item import ManyItemScore

SHIPPED = Path(__file__).with_name("shipped")  # benchmarks that a file describes, and that need no module


@cache
def registry() -> Mapping[str, Benchmark]:
    """Every installed benchmark by name; one that cannot be loaded is in `broken` and stops no other."""
    found: dict[str, Benchmark] = {}
    _broken.clear()
    for entry in entry_points(group="mtpa.benchmarks"):
        place = f"benchmark {entry.name!r} ({entry.value})"
        try:
            made = entry.load()()
        except (Exception, SystemExit) as error:  # somebody else's code: whatever it raises is a sentence
            _broken[entry.name] = f"{place} cannot be loaded: {' '.join(str(error).split()) or type(error).__name__}"
            continue
        if not isinstance(made, Benchmark):
            _broken[entry.name] = f"{place} is not a Benchmark: derive it from MultipleChoice"
        elif made.name != entry.name:
            _broken[entry.name] = f"{place} calls itself {made.name!r}: give it the name of its entry point"
        else:
            found[entry.name] = made
    for path in sorted(SHIPPED.glob("*.toml")):
        described = _from_file()(path)
        found[described.name] = described
    return found


def broken() -> Mapping[str, str]:
    """What is wrong with each installed benchmark that cannot be loaded, a sentence by name."""
    registry()
    return _broken


_broken: dict[str, str] = {}
_described: dict[str, Benchmark] = {}  # benchmarks from files, once they were asked for


def benchmark(name: str) -> Benchmark:
    """The installed benchmark of this name, or the one that a file describes (`path/to/it.toml`, `.yaml`).

    Raises InputError for an unknown name, or a file that cannot be right.
    """
    if name.endswith((".toml", ".yaml", ".yml")):
        found = _from_file()(Path(name))
        _described[found.name] = found
        return found
    if name in broken():
        raise InputError(_broken[name])
    if name not in registry():
        raise InputError(f"unknown benchmark {name!r}; {nearest(name, registry())}")
    return registry()[name]


def measure(benchmark: str, part: str, elicitation: str = "letter") -> str:
    """What a report calls a part of a benchmark: "name", or "name:part" where parts are measures of their own.

    Where the answer is not asked for as a letter, which is a separate measure, " [json]" or the like follows.
    """
    known = measured(benchmark)
    label = benchmark if known is None or known.pooled or len(known.parts) < 2 else f"{benchmark}:{part}"
    return label if elicitation == "letter" else f"{label} [{elicitation}]"


def asked_for(label: str) -> tuple[str, Elicitation]:
    """A label of `measure` without how the answer is asked for, and that."""
    for name in INSTRUCTIONS:
        if label.endswith(f" [{name}]"):
            return label.removesuffix(f" [{name}]"), name
    return label, "letter"


def measured(label: str) -> Benchmark | None:
    """The benchmark behind a label of `measure`; None for one that is neither installed nor was described here."""
    name = asked_for(label)[0].partition(":")[0]
    return registry().get(name) or _described.get(name)


def many_item_scores(label: str, scores: pd.DataFrame) -> Iterable[ManyItemScore]:
    """The numbers over many items of the benchmark behind a label; none of one that is not known here."""
    known = measured(label)
    return known.many_item_scores(scores) if known else ()


def category_column(label: str) -> str:
    """The column of the scores by which Δ is broken down: the benchmark's own, else its parts."""
    known = measured(label)
    return known.category if known else "part"


def _from_file() -> Callable[[Path], Benchmark]:
    """Imported when asked for: what describes a benchmark in a file is itself built on this module."""
    from scoring.benchmarks.files.benchmark import benchmark_from_file

    return benchmark_from_file
