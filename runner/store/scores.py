"""From the database to the frame that scoring works on."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from personas.prompt.cue_texts import CUES, NO_CUE, cue_of
from personas.prompt.trait_sets import set_name
from runner.backends.request import digest
from runner.store.assigned.drawn_rounds import with_drawn_rounds
from runner.store.assigned.profile_rows import names_of_sets, told_columns
from runner.store.database import last_run_row, opened
from runner.store.foreign import reads_file
from runner.store.resolutions import remarks
from runner.store.rows import trait_labels
from runner.store.runs import SelectionRows
from runner.store.score_rows import COLUMNS, FIELDS, STATUSES, read_scores
from scoring.answers.items import LETTERS, Elicitation, Item, asked_as, option_order
from scoring.answers.metrics import metric_name
from scoring.benchmarks.registry import measure, measured
from scoring.statistics.pairs import CONTROL
from scoring.statistics.shared_texts import same_text_columns

SHARES = "distribution"  # the kind of items whose weights are a population's shares
_TEXTS = f"""
SELECT s.persona, s.variant, v.format, min(c.persona_text || ' ' || c.system_text) FROM score s
JOIN completion c ON c.id = s.completion JOIN variant v ON v.id = s.variant
WHERE v.format IN ({", ".join("?" * (len(CUES) + 1))}) GROUP BY s.persona, s.variant
"""


@reads_file
def load_scores(
    database: str | Path, selection: Mapping[str, Sequence[int]] | None = None, *, answers: bool = True
) -> pd.DataFrame:
    """Every score of the file, or of what one run selected: one row a trial; a trial that failed has status "failed".

    Parameters
    ----------
    database : str or Path
        The study's results file, `study.database`.
    selection : mapping, optional
        The rows that a run selected, as `last_selection` gives them; all where it is absent.
    answers : bool
        Whether each trait that was answered has a column: the label, or a number where there are no labels.

    Returns
    -------
    DataFrame
        Rows of one model and benchmark stand together.

        Columns: model (marked where its answers are of an old method), metric (how an answer became the value),
        benchmark ("name", or "name:part" where parts are measures of their own), part, item_id, group, persona_id (""
        in the baseline), cluster, weight, survey, wave, the subgroup columns, cue ("none" in the baseline, "neutral" in
        the control), elicitation, format, frame, placement, trait_order, traits (the set shown), told (what a random
        profile shows), told_text (the same where the same is shown), sampled (whether it is a draw), rotation,
        replicate, status, chosen_by_text, chosen_by_probability (option numbers), role and letter (of the option that
        the value is of; no letter where none were shown), value, expected, `meta_columns`, traits, adaptive rounds'.

    Raises InputError or MachineError for a file that is missing, damaged or not one of mtpa's.
    """
    with opened(path := Path(database)) as connection:
        frame = read_scores(connection, selection)
        tables = {name: _table(connection, name) for name in ("model", "item", "persona", "variant")}
        sets = named_sets(connection, tables["variant"])
        read = _texts_read(connection)
        labels = trait_labels(connection) if answers else {}
    frame = _by_part(_without_lone_answers(frame, tables["item"]), tables["item"])
    ids = {name: _Ids.of(frame[name]) for name in FIELDS[:4]}
    columns: dict[str, Any] = _asked_columns(frame, ids, tables)
    columns |= _item_columns(frame, ids["item"], tables["item"]) | _persona_columns(ids["persona"], tables["persona"])
    columns |= same_text_columns(columns["cluster"], frame, read)
    for name in ("format", "frame", "placement", "trait_order"):
        columns[name] = _lookup(ids["variant"], tables["variant"], lambda row, name=name: row[name])
    columns["cue"] = _lookup(ids["variant"], tables["variant"], lambda row: cue_of(row["format"]), NO_CUE)
    columns["elicitation"] = _lookup(ids["item"], tables["item"], lambda row: asked_as(_ask(row)[0], _ask(row)[2]))
    columns["sampled"] = _sampled(frame, tables)
    columns["traits"] = _lookup(ids["variant"], sets.names, lambda row: row["traits"])
    if sets.random:
        columns |= told_columns(frame, tables["variant"], tables["persona"])
    columns["status"] = pd.Categorical.from_codes(frame["status"], categories=list(STATUSES))
    columns |= {name: frame[name].to_numpy() for name in COLUMNS if name not in (*FIELDS[:4], "status")}
    told = _trait_columns(ids["persona"], tables["persona"], labels) if answers else {}
    found = {**columns, **told, **columns}  # traits stand last, and give way to columns of their name
    return with_drawn_rounds(path, pd.DataFrame(found, copy=False), frame["model"], selection)


def _by_part(frame: pd.DataFrame, items: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """The rows of each model and benchmark one after another, so that a report need not copy them."""
    names = {number: measure(row["benchmark"], row["part"], _ask(row)[2]) for number, row in items.items()}
    places = {name: place for place, name in enumerate(sorted(set(names.values())))}
    benchmark = np.zeros(max(names, default=0) + 1, dtype=np.int32)
    benchmark[list(names)] = [places[name] for name in names.values()]
    part = frame["model"].to_numpy() * max(len(places), 1) + benchmark[frame["item"].to_numpy()]
    if (part[1:] >= part[:-1]).all():
        return frame
    return frame.iloc[np.argsort(part, kind="stable")].reset_index(drop=True)


def _sampled(frame: pd.DataFrame, tables: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> np.ndarray:
    """Whether an answer is a draw: text, at a temperature that is not 0."""
    warm = {number for number, row in tables["model"].items() if json.loads(row["parameters"]).get("temperature") != 0}
    text = {number for number, row in tables["model"].items() if row["answer"] == "text"}
    asks = {number: json.loads(row["record"])["ask"] for number, row in tables["item"].items()}
    written = {number for number, row in tables["item"].items() if "elicitation" in json.loads(row["record"])}
    letter = frame["item"].map(asks)
    drawn = (letter == "text") | (letter == "letter") & frame["model"].isin(text) | frame["item"].isin(written)
    return np.asarray(drawn & frame["model"].isin(warm), dtype=bool)


class NamedSets(NamedTuple):
    """What a report calls each variant's set of traits, by the number of its row; whether any is random."""

    names: dict[int, dict[str, str]]
    random: bool


def named_sets(connection: sqlite3.Connection, variants: Mapping[int, Mapping[str, Any]]) -> NamedSets:
    """Each variant's set of traits by a name of its own, those of the last run's random profiles by one."""
    row = last_run_row(connection, "selection")
    random = names_of_sets(json.loads(row[0]).get("profiles", []) if row else [])
    texts = {str(row["traits"]) for number, row in variants.items() if number not in random}
    names = {text: set_name(json.loads(text)) for text in texts}
    taken = Counter(names.values())
    unique = {text: name if taken[name] == 1 else f"{name} {digest(text).hex()[:4]}" for text, name in names.items()}
    found = {number: random.get(number) or unique[str(row["traits"])] for number, row in variants.items()}
    return NamedSets({number: {"traits": name} for number, name in found.items()}, bool(random))


def _without_lone_answers(frame: pd.DataFrame, items: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """Without the values that earlier scorers gave to single answers to items that are distributions."""
    shares = [number for number, row in items.items() if json.loads(row["record"])["scoring"].get("kind") == SHARES]
    if not shares:
        return frame
    here = frame["item"].isin(shares)
    stated = [number for number in shares if json.loads(items[number]["record"]).get("elicitation") == "probability"]
    lone = here & frame["chosen_by_probability"].isna() & ~frame["item"].isin(stated)
    return frame.assign(expected=frame["expected"].mask(here), value=frame["value"].mask(lone))


def _texts_read(connection: sqlite3.Connection) -> pd.DataFrame:
    """The text of each persona and variant that may be the same for several personas: persona, variant, format, text.

    That is the neutral control, whose text depends on how long the persona's is, or a cue such as a name.
    """
    rows = connection.execute(_TEXTS, (CONTROL, *CUES))
    return pd.DataFrame(rows.fetchall(), columns=["persona", "variant", "format", "text"])


_RUN = ("study", "code", "seed", "started", "ended", "packages", "prices")
_SERVED = ("name", "provider", "model", "revision", "dtype", "answer", "served", "exactness", "parameters")


@reads_file
def load_about(database: str | Path) -> dict[str, Any]:
    """The last run, by its own account: study text, code version, seed, times, packages; and its models as served."""
    path = Path(database)
    with opened(path) as connection:
        run = last_run_row(connection, ", ".join(_RUN))
        selected = last_run_row(connection, "selection")
        chosen = json.loads(selected[0])["models"] if selected else []
        resolved = remarks(connection, chosen)
        # a plan and other runs make rows too; a judge has answers and no scores
        asked = "id IN (SELECT value FROM json_each(?)) OR served != '' AND id NOT IN (SELECT model FROM score)"
        models = connection.execute(f"SELECT {', '.join(_SERVED)} FROM model WHERE {asked}", [json.dumps(chosen)])
        served = [dict(zip(_SERVED, row, strict=True)) for row in models]
    about = dict(zip(_RUN, run or ("", "", 0, "", "", "{}", ""), strict=True))
    return about | {
        "resolved": resolved,
        "packages": json.loads(about["packages"]),
        "models": [each | {name: json.loads(each[name]) for name in ("exactness", "parameters")} for each in served],
    }


@reads_file
def last_selection(database: str | Path) -> SelectionRows | None:
    """What the last run of the file selected; None before the first."""
    path = Path(database)
    with opened(path) as connection:
        row = last_run_row(connection, "selection")
    return json.loads(row[0]) if row else None


def _table(connection: sqlite3.Connection, name: str) -> dict[int, dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {name}")
    names = [column[0] for column in cursor.description]
    return {row[0]: dict(zip(names, row, strict=True)) for row in cursor}


class _Ids(NamedTuple):
    """The number of a row that each score names, 0 for none; and which numbers there are."""

    rows: np.ndarray
    used: list[int]

    @classmethod
    def of(cls, column: Any) -> "_Ids":
        numbers = np.asarray(column)
        return cls(numbers, np.flatnonzero(np.bincount(numbers)).tolist())

    def named(self, values: Sequence[str]) -> pd.Categorical:
        """A categorical column from a name for each of the numbers that there are."""
        names, positions = np.unique(np.array(values, dtype=object), return_inverse=True)
        by_id = np.zeros(max(self.used, default=0) + 1, dtype=np.min_scalar_type(-max(len(names), 1)))
        by_id[self.used] = positions
        return pd.Categorical.from_codes(by_id[self.rows], categories=names)

    def valued(self, values: Mapping[int, float]) -> np.ndarray:
        """A column of numbers; NaN where there is none for a row."""
        by_id = np.full(max(self.used, default=0) + 1, np.nan)
        by_id[self.used] = [values.get(number, np.nan) for number in self.used]
        found: np.ndarray = by_id[self.rows]
        return found


def _lookup(ids: _Ids, table: Mapping[int, Mapping[str, Any]], pick: Any, absent: str = "") -> pd.Categorical:
    """A categorical column: what `pick` takes from the row that each id names; `absent` for 0."""
    return ids.named([absent if number == 0 else str(pick(table[number])) for number in ids.used])


def _asked_columns(
    frame: pd.DataFrame, ids: Mapping[str, _Ids], tables: Mapping[str, Mapping[int, dict[str, Any]]]
) -> dict[str, Any]:
    """Each row's model, and how its answer became the value.

    Answers to the same messages that are computed otherwise today are another model's, as it were: they have its name
    with "(old method)" behind it.
    """
    models, used = tables["model"], ids["model"].used
    name = _lookup(ids["model"], models, lambda row: row["name"])
    asks = {number: _ask(tables["item"][number]) for number in ids["item"].used}
    metrics = {}
    for probabilities in (False, True):
        named = {
            number: {"metric": metric_name(ask, kind, probabilities, elicitation)}
            for number, (ask, kind, elicitation) in asks.items()
        }
        metrics[probabilities] = _lookup(ids["item"], named, lambda row: row["metric"])
    asked = frame["model"].isin([number for number in used if models[number]["answer"] == "probabilities"]).to_numpy()
    known = sorted({*metrics[False].categories, *metrics[True].categories})
    codes = np.where(asked, *(each.set_categories(known).codes for each in (metrics[True], metrics[False])))
    for number in used:
        row = models[number]
        if old := [each for each, ask in asks.items() if _kind(ask, row["answer"]) in _changed(row)]:
            label = f"{row['name']} (old method)"
            name = name if label in name.categories else name.add_categories([label])
            name[((frame["model"] == number) & frame["item"].isin(old)).to_numpy()] = label
    metric = pd.Categorical.from_codes(codes, categories=known)
    return {"model": name.remove_unused_categories(), "metric": metric.remove_unused_categories()}


def _ask(item: Mapping[str, Any]) -> tuple[Any, str, Elicitation]:
    """How an item is asked, how an answer to it is scored, and how it is asked for."""
    record = json.loads(item["record"])
    return record["ask"], str(record["scoring"].get("kind", "")), record.get("elicitation", "letter")


def _kind(item: tuple[str, str, Elicitation], answer: str) -> str:
    """What is asked of a model for an item: text, letters or loglik."""
    ask, _, elicitation = item
    by_letter = (ask, answer, elicitation) == ("letter", "probabilities", "letter")
    return "loglik" if ask == "loglik" else "letters" if by_letter else "text"


def _changed(model: Mapping[str, Any]) -> set[str]:
    """The kinds of a model's answers in the file that are computed otherwise today."""
    if model["method"] or model["provider"] != "local":
        return set()
    return {"loglik"} if model["methods"] is None else set(json.loads(model["methods"]))


def _item_columns(frame: pd.DataFrame, ids: _Ids, table: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    used = {number: table[number] for number in ids.used}
    records = {number: json.loads(row["record"]) for number, row in used.items()}
    columns: dict[str, Any] = {
        column: _lookup(ids, used, lambda row, source=source: row[source])
        for column, source in (("part", "part"), ("item_id", "item_id"), ("group", "grp"))
    }
    columns["benchmark"] = _lookup(ids, used, lambda row: measure(row["benchmark"], row["part"], _ask(row)[2]))
    names = {row["benchmark"] for row in used.values()}
    known = [each for each in map(measured, names) if each is not None]
    for name in sorted({meta for each in known for meta in each.meta_columns}):
        columns[name] = _meta(ids, {number: record["meta"].get(name) for number, record in records.items()})
    return columns | _choice_columns(frame, records)


def _meta(items: _Ids, values: Mapping[int, Any]) -> Any:
    """A column of the items' own: numbers where they all are, else names."""
    if all(value is None or isinstance(value, int | float) for value in values.values()):
        return items.valued({number: float(value) for number, value in values.items() if value is not None})
    return _lookup(
        items, {number: {"value": value} for number, value in values.items()}, lambda row: row["value"] or ""
    )


def _choice_columns(frame: pd.DataFrame, records: Mapping[int, Mapping[str, Any]]) -> dict[str, pd.Categorical]:
    """The role and the letter of each row's option, which depend on the item, the option, and the rotation."""
    by_probability, by_text = (frame[f"chosen_by_{how}"].to_numpy() for how in ("probability", "text"))
    chosen = np.where(np.isnan(by_probability), by_text, by_probability)
    option = np.where(np.isnan(chosen), 0, chosen + 1).astype(np.int64)  # 0: none was read
    turns, options = int(frame["rotation"].max()) + 1 if len(frame) else 1, int(option.max(initial=0)) + 1
    places = _Ids.of((frame["item"].to_numpy() * options + option) * turns + frame["rotation"].to_numpy())
    picked: dict[str, list[str]] = {"role": [], "letter": []}
    for place in places.used:
        rest, rotation = divmod(place, turns)
        item, number = divmod(rest, options)
        picked["role"].append(_role(records[item], number - 1) if number else "")
        picked["letter"].append(_letter(records[item], number - 1, rotation) if number else "")
    return {name: places.named(values) for name, values in picked.items()}


def _role(record: Mapping[str, Any], option: int) -> str:
    return record["roles"][option] or "" if record["roles"] else ""


def _letter(record: Mapping[str, Any], option: int, rotation: int) -> str:
    if record["ask"] != "letter" or record.get("elicitation") == "text":  # no letters were shown
        return ""
    return LETTERS[option_order(Item(**record), rotation).index(option)]


def _persona_columns(ids: _Ids, table: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
    used = {number: table[number] for number in ids.used if number}
    subgroups = {number: json.loads(row["subgroups"]) for number, row in used.items()}
    columns: dict[str, Any] = {
        name: _lookup(ids, used, lambda row, name=name: row[name])
        for name in ("persona_id", "survey", "wave", "cluster", "country")
    }
    columns["weight"] = ids.valued({number: float(row["weight"]) for number, row in used.items()})
    for name in sorted({name for each in subgroups.values() for name in each}):
        columns[name] = _lookup(ids, subgroups, lambda row, name=name: row.get(name, ""))
    return columns


def _trait_columns(
    ids: _Ids, table: Mapping[int, dict[str, Any]], labels: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """What the respondents answered, by trait; a code that has no label among others that do is its own."""
    given = {number: json.loads(table[number]["answers"]) for number in ids.used if number}
    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in given.values() for name in each):
        if known := labels.get(name):
            columns[name] = _lookup(
                ids,
                given,
                lambda row, name=name, known=known: known.get(str(row[name]), row[name]) if name in row else "",
            )
        else:
            columns[name] = ids.valued({number: float(row.get(name, np.nan)) for number, row in given.items()})
    return columns
