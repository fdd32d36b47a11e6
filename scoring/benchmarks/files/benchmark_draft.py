"""A first description of a file of questions, drafted from its columns' names and values for a person to correct."""

import ast
import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from personas import bounded
from personas.errors import InputError
from scoring.answers.items import LETTERS
from scoring.benchmarks.files.column_names import (
    ANSWERS,
    CONTEXTS,
    GOOD_BAD,
    GROUPS,
    IDS,
    LISTS,
    PAIRS,
    QUESTIONS,
    RUBRICS,
    SHARES,
    distractors,
    known,
    named,
    numbered,
    plain,
)
from scoring.benchmarks.meta_names import taken_names
from scoring.benchmarks.records import Row, read_rows

_RECORDS = 20_000  # are looked at
_LONG = 40  # characters that no column's name has
_KINDS = 50  # values of a column that tells groups of items apart
_SHORT = 60
_LOGGED = {"doc_id", "doc", "target", "arguments"}  # the columns of samples of lm-evaluation-harness
_HERE = "<column>"  # where a column's name goes


@dataclass
class _BenchmarkDraft:
    """What is known of the file while its description is written."""

    records: list[Row]
    names: list[str]
    header: bool
    keys: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    scoring: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def column(self, words: Sequence[str]) -> str | None:
        """The first column by one of these names that is not taken yet."""
        return next(
            (name for word in words for name in self.names if plain(name) == word and name not in self.used), None
        )

    def values(self, name: str) -> list[Any]:
        return [row.get(name) for row in self.records]

    def take(self, what: str, name: str, value: str | None = None, note: str = "") -> None:
        """Give a field its column (or `value`), with a note for whoever corrects it."""
        self.used.add(name)
        self.fields[what] = (_toml(name) if value is None else value) + (f"  # {note}" if note else "")


def draft(path: Path) -> str:
    """The text of a TOML file that describes a CSV, TSV, JSON, JSONL or Parquet file of questions beside it.

    What nothing tells is said in a comment. Raises InputError for a file that cannot be read or holds no records.
    """
    names = _headless(path)
    records = [row for _, row in islice(read_rows(path, names or ()), _RECORDS)]
    if not records:
        raise InputError(f"{path}: holds no records; name the right file")
    columns = list(dict.fromkeys(str(name) for row in records for name in row))
    made = _BenchmarkDraft(records, columns, header=names is None)
    if set(columns) >= _LOGGED:
        return _of_samples(path, made)
    for find in (_pair, _good_and_bad, _choice, _rubric):
        if find(made):
            break
    else:
        made.fields["choices"] = '[]  # to be named: no column looks like options; see "The file" in the manual'
    _question(made)
    _rest(made)
    return _written(path, made, names)


def _of_samples(path: Path, made: _BenchmarkDraft) -> str:
    """What lm-evaluation-harness logged brings its own fields and scoring."""
    made.keys["lm_eval"] = '"samples"  # logged by lm-evaluation-harness'
    return _written(path, made, None).split("\n\n[fields]")[0].replace('asks = ["letter"]\n', "") + "\n"


def _headless(path: Path) -> list[str] | None:
    """Names for the columns of a CSV whose first line is a record already; None for any other file."""
    if path.suffix.lower() not in (".csv", ".tsv"):
        return None
    bounded.check_file(path)  # a pipe would be waited for
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(bounded.lines(file), delimiter="," if path.suffix.lower() == ".csv" else "\t")
            first = next(lines, [])
    except (OSError, ValueError, csv.Error):
        return None  # whoever reads the file says what is wrong with it
    if any(known(cell) for cell in first) or not any(len(cell) > _LONG or plain(cell).isdigit() for cell in first):
        return None
    if len(first) > 3 and len(first[-1].strip()) == 1:
        return ["question", *LETTERS[: len(first) - 2], "answer"]
    return [f"column_{number}" for number in range(1, len(first) + 1)]


def _pair(made: _BenchmarkDraft) -> bool:
    """Two sentences of which the more stereotyped may be preferred."""
    pair = named(made.names, PAIRS)
    if pair is None or (_is_unsure(pair) and made.column(ANSWERS)):
        return False
    made.keys |= {"metric": '"stereotyped"', "better": '"half"', "asks": '["loglik"]', "alone": "true"}
    note = "which of the two is the more stereotyped? swap them if it is the second" if _is_unsure(pair) else ""
    made.fields["choices"] = _toml(pair)
    made.fields["roles"] = '{ value = ["stereo", "antistereo"] }' + (f"  # {note}" if note else "")
    made.used |= set(pair)
    made.scoring["kind"] = '"pair_preference"'
    return True


def _is_unsure(pair: Sequence[str]) -> bool:
    return plain(pair[0]).startswith("sent") and "more" not in plain(pair[0])


def _good_and_bad(made: _BenchmarkDraft) -> bool:
    """Two sentences of which one is right."""
    pair = named(made.names, GOOD_BAD)
    if pair is None or made.column(ANSWERS):
        return False
    made.keys |= {"asks": '["loglik"]', "alone": "true"}
    made.fields |= {"choices": _toml(pair), "answer": "{ value = 0 }  # the first of choices, in every record"}
    made.used |= set(pair)
    return True


def _choice(made: _BenchmarkDraft) -> bool:
    """Options in columns or in a list, with an answer or a distribution."""
    right, wrong = distractors(made.names)
    if right and wrong:
        made.fields |= {"choices": _toml([right, *wrong]), "answer": "{ value = 0 }  # the first, in every record"}
        made.used |= {right, *wrong}
        return True
    if columns := numbered(made.names):
        made.fields["choices"] = _toml(columns)
        made.used |= set(columns)
    elif column := made.column(LISTS):
        if (how := _list_of(made.values(column))) is None:
            return False
        made.take("choices", column, how.replace(_HERE, _toml(column)))
        _scale(made, column)
    else:
        return False
    if (shares := made.column(SHARES)) and _lists(made.values(shares)):
        made.take("shares", shares)
        made.keys |= {"metric": '"similarity"', "shuffle": "false  # is it no scale? then true"}
        made.scoring |= {"kind": '"distribution"', "distance": '"js"'}
    elif answer := made.column(ANSWERS):
        made.take("answer", answer)
    else:
        made.fields["answer"] = '""  # to be named: the column with the right option'
    return True


def _scale(made: _BenchmarkDraft, column: str) -> None:
    """The same options everywhere may be a scale, which is not to be shuffled."""
    lists = {json.dumps(value, default=str) for value in made.values(column)}
    if len(lists) == 1 and len(made.records) > 1:
        made.keys["shuffle"] = "false  # the same options in every record: a scale; true if they are none"


def _list_of(values: Sequence[Any]) -> str | None:
    """How a column becomes a list of options; None where it is none."""
    if _lists(values):
        return _HERE
    if all(isinstance(value, Mapping) and isinstance(value.get("text"), list) for value in values):
        return _transformed('{ get = "text" }')
    if all(_is_lettered(value) for value in values):
        return _transformed('"values"')
    texts = [value.strip() for value in values if isinstance(value, str)]
    if len(texts) < len(values):
        return None
    if all(text.startswith("{") for text in texts):  # a table as text, whose lines are no options
        how = "json" if all(map(_is_json, texts)) else "python"
        read = bounded.parse_json if how == "json" else ast.literal_eval
        return _transformed(f'"{how}", "values"') if all(map(partial(_is_table, read), texts)) else None
    if all(text.startswith("[") and text.endswith("]") for text in texts):
        return _transformed('"json"' if all(map(_is_json, texts)) else '"python"')
    sign = next((sign for sign in ("\n", "|", ";") if all(sign in text for text in texts)), None)
    return None if sign is None else _transformed(f"{{ split = {_toml(sign)} }}")


def _is_lettered(value: Any) -> bool:
    """Whether it is a table of options by their letters, in order."""
    return isinstance(value, Mapping) and bool(value) and list(map(str, value)) == list(LETTERS[: len(value)])


def _is_table(read: Callable[[str], Any], text: str) -> bool:
    try:
        return _is_lettered(read(text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return False


def _transformed(transform: str) -> str:
    return f"{{ column = {_HERE}, transforms = [{transform}] }}"


def _lists(values: Sequence[Any]) -> bool:
    return all(isinstance(value, list) and value for value in values)


def _is_json(text: str) -> bool:
    try:
        bounded.parse_json(text)
    except ValueError:
        return False
    return True


def _rubric(made: _BenchmarkDraft) -> bool:
    """A question that is answered in words, and what a good answer holds."""
    column = made.column(RUBRICS)
    if column is None:
        return False
    first = made.values(column)[0]
    reference = None
    if isinstance(first, list | Mapping):
        flat = isinstance(first, list) and all(isinstance(each, str) for each in first)
        filter_ = "join('\\n')" if flat else "tojson"
        reference = f"{{ template = {_toml(f'{{{{ {column} | {filter_} }}}}')} }}"
    made.take("reference", column, reference)
    made.keys |= {"metric": '"grade"', "asks": '["text"]'}
    levels = ["it misses what a good answer holds", "it has some of it", "it has all of it"]
    made.scoring |= {
        "kind": '"rubric"',
        "levels": _toml([f"{number}: {text}" for number, text in enumerate(levels, 1)]) + "  # worst to best; yours?",
    }
    return True


def _question(made: _BenchmarkDraft) -> None:
    if column := made.column(QUESTIONS):
        shown = column.isidentifier() and "choices" in made.fields and all(map(_shows_options, made.values(column)))
        cut = _toml(f"{{{{ ({column} | string).split('\nA. ')[0] | trim }}}}")
        note = "the options that stood behind it are cut off: they are shown as `choices`" if shown else ""
        made.take("question", column, f"{{ template = {cut} }}" if shown else None, note)
    elif made.keys.get("alone") is None:
        texts = [name for name in made.names if name not in made.used and _is_text(made.values(name))]
        longest = max(texts, key=lambda name: sum(map(len, map(str, made.values(name)))), default=None)
        if longest is None:
            made.fields["question"] = '""  # to be named: the column with the question'
        else:
            made.take("question", longest, note="the column with the longest texts")
    if column := made.column(CONTEXTS):
        made.take("context", column)


def _shows_options(question: Any) -> bool:
    """Whether a question has its options in it already, a line each; asked as it is, they would stand there twice."""
    return isinstance(question, str) and "\nA. " in question and "\nB. " in question


def _is_text(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _rest(made: _BenchmarkDraft) -> None:
    """An id, a group, and what may tell groups of items apart."""
    column = made.column(IDS)
    if column is not None and len(set(map(str, made.values(column)))) == len(made.records):
        made.take("id", column)
    if (column := made.column(GROUPS)) is not None:
        made.take("group", column, note="items that are resampled together")


def _meta(made: _BenchmarkDraft) -> Iterator[tuple[str, str]]:
    """(name, column) of the columns that take few short values."""
    taken = taken_names()
    for column in made.names:
        values = {str(value) for value in made.values(column)}
        scalar = all(isinstance(value, str | int | bool | None) for value in made.values(column))
        few = 1 < len(values) <= min(_KINDS, max(2, len(made.records) // 2))
        if column not in made.used and scalar and few and max(map(len, values)) <= _SHORT:
            name = re.sub(r"\W+", "_", column).strip("_").lower() or "column"
            yield (f"source_{name}" if name in taken else name), column


def _written(path: Path, made: _BenchmarkDraft, names: Sequence[str] | None) -> str:
    """The file's text."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).strip("_") or "mine"
    lines = [
        f"# Drafted from {path.name!r}, {len(made.records):,} records: correct it, then look at",
        "# `mtpa-run benchmarks check` of this file, which shows the items as they will be asked.",
        f"name = {_toml(name)}",
        f'version = "sha256 {digest[:12]}"  # of the data',
        'licence = "unknown"  # to be named: the terms of the data',
        *(f"{key} = {value}" for key, value in ({"asks": '["letter"]'} | made.keys).items()),
        "",
        "[[files]]",
        f"path = {_toml(path.name)}",
        f'sha256 = "{digest}"',
    ]
    if names is not None:
        lines.append(f"columns = {_toml(names)}  # the first line is a record, not a header")
    order = ("id", "context", "question", "choices", "answer", "shares", "roles", "reference", "group")
    lines += ["", "[fields]", *(f"{key} = {made.fields[key]}" for key in order if key in made.fields)]
    meta = list(_meta(made))
    if meta:
        lines += [
            "",
            "[meta]  # columns by which Δ may be broken down",
            *(f"{key} = {_toml(col)}" for key, col in meta),
        ]
    if made.scoring:
        lines += ["", "[scoring]", *(f"{key} = {value}" for key, value in made.scoring.items())]
    left = [column for column in made.names if column not in made.used and column not in dict(meta).values()]
    if left:
        lines += ["", f"# Not used: {', '.join(map(_comment, left))}"]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text)[:_SHORT]


def _toml(value: Any) -> str:
    """A text or a list of texts as TOML writes it."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
