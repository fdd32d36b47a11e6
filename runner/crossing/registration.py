"""What a study registers before its first request, and how what was asked and is reported differs from it."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from personas.bounded import parse_json
from personas.errors import InputError
from personas.people.pseudonyms import pseudonym
from runner.backends.request import canonical
from runner.store.database import now, opened, transaction
from runner.store.leases import refuse_running
from runner.store.runs import (
    Registration,
    SelectionRows,
    add_registration,
    is_answered,
    last_run,
    registered,
    selected_items,
    selected_people,
)
from runner.study.config import Study
from runner.study.sections import ModelSection
from scoring.benchmarks.registry import measure
from scoring.statistics.levels import ALL

if TYPE_CHECKING:  # a report reads registrations and asks nobody
    from runner.crossing.prepare import Prepared

_MODEL = ("backend", "id", "revision", "dtype", "decoding", "answer", "replicates", "baseline_replicates")
_PART = ("people", "covariate")
_TABLES = ("personas", "variants", "fidelity", "target", "robustness", "gate", "report")
EXCLUDED = (
    "answers that are unparsed, refused or failed are left out; their rate, and Δ with them as wrong, stand beside"
)
MARK = "not registered"


@dataclass(frozen=True)
class Comparison:
    """A study beside its registration, if it has one: `differences` in words, and the names that were registered."""

    entry: Registration | None
    differences: Sequence[str] = ()
    models: frozenset[str] = frozenset()
    benchmarks: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()

    def marked(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with a column `registration` that marks the rows about what was not registered.

        Without a registration, the table as it is.
        """
        if self.entry is None or table.empty:
            return table
        known = table["model"].astype(str).isin(self.models) & table["benchmark"].astype(str).isin(self.benchmarks)
        cut = table["attribute"].astype(str)
        known &= cut.isin(self.attributes | {ALL})
        return table.assign(registration=["" if each else MARK for each in known])


def document(study: Study, connection: Any, selection: SelectionRows) -> dict[str, Any]:
    """What is registered: the study's keys that say what is asked and reported, and whom and what it draws.

    The people and the items (counts and hashes, no ids), families, looks and exclusions; not where or how fast it runs.
    """
    people = sorted(pseudonym(name) for name in selected_people(connection, selection))
    items: dict[str, list[str]] = defaultdict(list)
    for benchmark, part, elicitation, sha in selected_items(connection, selection):
        items[measure(benchmark, part, elicitation)].append(sha)
    tables = study.model_dump(mode="json", include=set(_TABLES))
    tables["personas"]["sources"] = [Path(name).name for name in study.personas.sources]
    report = tables["report"]
    pairs = [" × ".join(pair) for pair in report["pairs"]]
    return {
        "version": 1,
        "study": {"name": study.study.name, "seed": study.study.seed},
        **tables,
        "benchmarks": {name: {"items": len(found), "sha256": _sha(sorted(found))} for name, found in items.items()},
        "asked": [each.model_dump(mode="json") for each in study.benchmarks],
        "models": {each.name: _of_model(each) for each in study.models},
        "people": {"personas": len(people), "sha256": _sha(people)},
        "families": {"attributes": [*report["by"], *pairs], "adjust": report["adjust"]},
        "looks": study.target.rounds if study.target else 1,
        "exclusions": {"where": tables["personas"]["where"], "min_n": report["min_n"], "answers": EXCLUDED},
    }


def _of_model(section: ModelSection) -> dict[str, Any]:
    """What is registered of a model; of what it is asked a part, only where it is."""
    told = section.model_dump(mode="json", include={*_MODEL, *_PART})
    return {name: value for name, value in told.items() if name in _MODEL or value is not None}


def register_study(ready: "Prepared") -> tuple[Registration, bool]:
    """Register a study in its file; whether this is new.

    Raises InputError once an answer is there, or where another registration is; MachineError while a run is on, whose
    requests are on their way.
    """
    study, connection = ready.study, ready.cache.connection
    text = canonical(document(study, connection, ready.crossing.selection())).decode()
    with transaction(connection):
        if before := registered(connection):
            with _unchanged(before, study.database) as document_before:
                told = "; ".join(_differences(document_before, json.loads(text), _defaults(study)))
            if not told:
                return before, False
            raise InputError(
                f"{study.database}: registered on {before.at}, and the study has changed since ({told}); undo that, or "
                "give the changed study a name and a database of its own"
            )
        refuse_running(connection, study.database)
        if is_answered(connection) or any(map(_has_answers, study.other_files)):
            raise InputError(
                f"{study.database}: there are answers already, and a study is registered before its first request; "
                "name a new database in [study] database to begin again"
            )
        entry = Registration(now(), hashlib.sha256(text.encode()).hexdigest(), text)
        add_registration(connection, entry)
    return entry, True


def registration_of(study: Study) -> Comparison:
    """The study as it is now, and what its last run selected, beside what was registered in its file.

    A shard's registration is in the file of the whole study.
    """
    entry = next(filter(None, map(_entry, dict.fromkeys((study.database, study.whole_database)))), None)
    if entry is None:
        return Comparison(None)
    with opened(study.database) as connection:
        runs = last_run(connection)
        # as the JSON has it: tuples are lists there
        after = json.loads(canonical(document(study, connection, runs[0].selection))) if runs else None
    with _unchanged(entry, study.database) as before:
        after = after or before
        models = {name for name, told in before["models"].items() if after["models"].get(name, told) == told}
        return Comparison(
            entry,
            _differences(before, after, _defaults(study)),
            frozenset(models),
            frozenset(before["benchmarks"]),
            frozenset(before["families"]["attributes"]),
        )


@contextmanager
def _unchanged(entry: Registration, path: Path) -> Iterator[Any]:
    """The document that was registered.

    Raises InputError where it does not have the hash that was registered, or where what is done with it shows that it
    is none.
    """
    try:
        if hashlib.sha256(entry.document.encode()).hexdigest() != entry.sha256:
            raise ValueError("another hash")
        yield parse_json(entry.document)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{path}: its registration is not as it was made, so nothing is compared with it; restore the file from "
            "a copy"
        ) from None


def published(entry: Registration) -> str:
    """The JSON to publish: time, hash, and what it is the hash of."""
    told = {"registered": entry.at, "sha256": entry.sha256, "document": json.loads(entry.document)}
    return json.dumps(told, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _entry(path: Path) -> Registration | None:
    if not path.exists():
        return None
    with opened(path) as connection:
        return registered(connection)


def _has_answers(path: Path) -> bool:
    with opened(path) as connection:
        return is_answered(connection)


def _defaults(study: Study) -> Set[str]:
    """The dotted names of the keys that a study leaves at their defaults."""
    whole = study.model_dump(mode="json", include=set(_TABLES))
    own = study.model_dump(mode="json", include=set(_TABLES), exclude_defaults=True)
    return {f"{table}.{key}" for table in _TABLES for key in whole[table] or () if key not in (own.get(table) or ())}


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], defaults: Set[str]) -> list[str]:
    """What differs, in words: names added or left out, keys changed, other people or items.

    A key that mtpa did not have when the study was registered is no difference where it is at its default.
    """
    found = []
    for one, many, old, new in (
        ("model", "models", before["models"], after["models"]),
        ("benchmark", "benchmarks", before["benchmarks"], after["benchmarks"]),
        ("attribute", "attributes", before["families"]["attributes"], after["families"]["attributes"]),
    ):
        added, gone = ([each for each in these if each not in those] for these, those in ((new, old), (old, new)))
        for word, names in (("added", added), ("left out", gone)):
            found += [f"{one if len(names) == 1 else many} {word}: {', '.join(names)}"] if names else []
    changed = [name for name, told in after["benchmarks"].items() if before["benchmarks"].get(name, told) != told]
    found += [f"other items asked of: {', '.join(changed)}"] if changed else []
    if before["people"] != after["people"]:
        sizes = f"{after['people']['personas']:,}, registered were {before['people']['personas']:,}"
        found.append(f"other personas asked ({sizes})")
    both = before["models"].keys() & after["models"].keys()
    old_keys, new_keys = _keys(before, both), _keys(after, both)
    new_keys = {key: value for key, value in new_keys.items() if key in old_keys or key not in defaults}
    keys = [key for key in sorted({*old_keys, *new_keys}) if old_keys.get(key) != new_keys.get(key)]
    return [*found, *([f"keys changed: {', '.join(keys)}"] if keys else [])]


def _keys(told: Mapping[str, Any], models: Set[str]) -> dict[str, Any]:
    """The study's keys by their dotted names, those of its models for the `models` alone."""
    found: dict[str, Any] = {"[[benchmarks]]": told["asked"]}
    for table in ("study", *_TABLES):
        values = told[table]
        found |= {f"{table}.{key}": value for key, value in values.items()} if values else {}
    for name in models:
        found |= {f"models.{name}.{key}": value for key, value in told["models"][name].items()}
    return found


def _sha(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
