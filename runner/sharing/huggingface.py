"""A study's trials and items as a folder that `datasets.load_dataset` reads: Parquet, and a card about it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from personas.errors import MachineError
from personas.whole_file import replaced
from runner.results.study_report import about
from runner.sharing.redaction import HIDDEN
from runner.store.completeness import of_last_run
from runner.store.database import opened
from runner.store.scores import load_scores
from runner.study.config import Study
from runner.study.sources import described
from scoring.report.export import write_text
from scoring.statistics.levels import HIDDEN_UNDER

ROWS = 250_000
_CHOICES = ("chosen_by_text", "chosen_by_probability")
_ITEMS = pa.schema(
    [
        *((name, pa.string()) for name in ("item_id", "benchmark", "version", "part", "group", "ask")),
        *((name, pa.string()) for name in ("context", "question")),
        ("choices", pa.list_(pa.string())),
        ("weights", pa.list_(pa.float64())),
        ("roles", pa.list_(pa.string())),
        ("meta", pa.string()),
    ]
)
_COLUMNS = {
    "persona_id": "hash of the respondent's id; empty where the model answered as nobody (the baseline)",
    "cluster": "respondents who were described in the same words share it",
    "rotation": "which order of the options was shown",
    "replicate": "which repetition",
    "status": "ok, unparsed, refused, no probabilities, pending or failed",
    "chosen_by_text": "the option that the text names, a number into the item's choices",
    "chosen_by_probability": "the likeliest option",
    "role": "what the benchmark calls the chosen option",
    "letter": "the letter that it was shown under",
    "value": "the benchmark's own score",
    "expected": "the score by the letters' probabilities",
}


def write_dataset(study: Study, copy: Path, folder: Path, share: bool) -> list[Path]:
    """Write trials.parquet, items.parquet and README.md from a (redacted) copy of the study's file.

    Unless `share`, a level that fewer than five people have is hidden. Raises MachineError where the disk refuses.
    """
    scores = shared_scores(study, copy, share)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MachineError(f"{folder}: cannot be written ({error.strerror}); choose another place") from None
    trials, items = folder / "trials.parquet", folder / "items.parquet"
    _write_trials(trials, scores, private=study.study.is_private(share))
    _write_items(items, copy)
    return [trials, items, write_text(folder / "README.md", _card(study, scores, (trials, items), share))]


def shared_scores(study: Study, copy: Path, share: bool) -> pd.DataFrame:
    """The trials of a (redacted) copy, as `load_scores` gives them.

    Unless `share`, only with the columns by which the report breaks results down, and a level that fewer than five
    people have is hidden.
    """
    scores = load_scores(copy)
    if not share and study.report.weights == "none":
        scores = scores.drop(columns=[name for name in ("weight", "country") if name not in study.report.attributes])
    for name in () if share else dict.fromkeys((*study.report.attributes, "country")):
        if name in scores:
            scores[name] = _without_rare(scores, name)
    return scores


def _without_rare(scores: pd.DataFrame, name: str) -> pd.Categorical:
    """A column in which the levels that too few people have are one."""
    people = scores.loc[scores["persona_id"] != "", [name, "persona_id"]].drop_duplicates()[name].value_counts()
    rare = set(people.index[(people > 0) & (people < HIDDEN_UNDER)].astype(str))
    levels = scores[name].cat.categories
    codes = scores[name].cat.codes.to_numpy()
    shown = [HIDDEN if level in rare else level for level in levels]
    names = sorted(set(shown))
    places = np.array([names.index(level) for level in shown], dtype=np.int64)
    return pd.Categorical.from_codes(places[codes], categories=names)


def _write_trials(path: Path, scores: pd.DataFrame, private: bool) -> None:
    """One row a trial; names as plain strings, a slice of the table at a time."""
    writer: pq.ParquetWriter | None = None
    with replaced(path, private) as file:
        for start in range(0, max(1, len(scores)), ROWS):
            part = scores.iloc[start : start + ROWS]
            part = part.astype({name: str for name in part if isinstance(part[name].dtype, pd.CategoricalDtype)})
            table = pa.Table.from_pandas(part.astype(dict.fromkeys(_CHOICES, "Int16")), preserve_index=False)
            table = table.cast(pa.schema([(field.name, _plain(field.type)) for field in table.schema]))
            writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
            writer.write_table(table)
        if writer:
            writer.close()


def _write_items(path: Path, copy: Path) -> None:
    with opened(copy) as connection:
        records = [json.loads(text) for (text,) in connection.execute("SELECT record FROM item ORDER BY id")]
    rows = [
        {**record, "item_id": record["id"], "meta": json.dumps(record["meta"], ensure_ascii=False)}
        for record in records
    ]
    with replaced(path) as file:
        pq.write_table(pa.Table.from_pylist(rows, schema=_ITEMS), file, compression="zstd")


def _card(study: Study, scores: pd.DataFrame, files: Sequence[Path], share: bool) -> str:
    """The dataset card: how it is loaded, what its columns are, and whose terms hold."""
    configs: list[dict[str, Any]] = [{"config_name": path.stem, "data_files": path.name} for path in files]
    configs[0]["default"] = True
    features = [{"config_name": path.stem, **_described(path)} for path in files]
    front = {"license": "other", "tags": ["personas", "surveys", "evaluation"], "configs": configs}
    top = yaml.safe_dump({**front, "dataset_info": features}, sort_keys=False, allow_unicode=True)
    items, people = scores["item_id"].nunique(), scores.loc[scores["persona_id"] != "", "persona_id"].nunique()
    found = about(study, scores, [described(section.name, study) for section in study.benchmarks])
    hidden = (
        "Respondents stand here with their ids: pass this on only as far as the surveys' terms allow."
        if share
        else "Respondents are hashes of their ids, with the columns by which the study's report breaks results down; a "
        f"level that fewer than {HIDDEN_UNDER} people have is hidden. Neither their answers nor the prompts made of "
        "them are here."
    )
    models = ", ".join(f"{each['name']} ({each['served'] or each['model']})" for each in found["models"])
    incomplete = of_last_run(study.database).sentence
    lines = [
        f"---\n{top}---",
        *([f"**{incomplete}**"] if incomplete else []),
        f"# {study.study.name}: models that answer as somebody",
        f"{len(scores):,} trials on {items:,} items: {models}; with {people:,} personas and without.",
        hidden,
        "Each row of `trials` is one question put once; `items` has the questions, joined by `item_id`.",
        "| column | what it is |\n| --- | --- |\n"
        + "\n".join(f"| `{name}` | {_COLUMNS[name]} |" for name in scores if name in _COLUMNS),
        "## Sources and terms",
        "\n".join(f"- {each['title']}: {each['licence']}. {each['citation']}" for each in found["data"]),
        f"Made by mtpa {found['code']}, run {found['started']}.",
    ]
    return "\n\n".join(lines) + "\n"


def _described(path: Path) -> dict[str, Any]:
    """A file's columns and size, as the `dataset_info` of a card has them."""
    found = pq.read_metadata(path)
    size = sum(found.row_group(number).total_byte_size for number in range(found.num_row_groups))
    split = {"name": "train", "num_bytes": size, "num_examples": found.num_rows}
    disk = {"download_size": path.stat().st_size, "dataset_size": size}
    return {"features": [_feature(field) for field in pq.read_schema(path)], "splits": [split], **disk}


def _feature(field: pa.Field) -> dict[str, Any]:
    if pa.types.is_list(field.type):
        return {"name": field.name, "list": _dtype(field.type.value_type)}
    return {"name": field.name, "dtype": _dtype(field.type)}


def _dtype(kind: pa.DataType) -> str:
    return {"double": "float64", "float": "float32"}.get(str(kind), str(kind))


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) else kind
