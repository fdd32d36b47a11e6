"""personas.parquet: respondents in one file that says everything about itself.

One row a respondent and one row group a survey; an int16 column a trait, negative = why the answer is missing, null =
the survey does not have the variable. Labels, scales, sources and the build report stand in the Parquet metadata.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from personas.bounded import open_parquet, parse_json
from personas.errors import InputError
from personas.people.respondents import META, OPTIONAL, Respondents, Source, in_order
from personas.traits import NOT_ASKED, Trait, Wording
from personas.whole_file import replaced

FORMAT = 1
_KEY = b"mtpa"
_CELLS = 3_000_000_000


def write_personas(path: Path, parts: Sequence[Respondents], report: Mapping[str, Any]) -> None:
    """Write respondents, a row group a part, in one step: the file is there as a whole or not at all.

    Raises MachineError where the disk refuses.
    """
    traits = in_order({name: trait for part in parts for name, trait in part.traits.items()})
    columns = [name for name in traits if any(name in part.frame for part in parts) and name not in META]
    about = {
        "format": FORMAT,
        "traits": {name: asdict(trait) for name, trait in traits.items()},
        "sources": {name: asdict(source) for part in parts for name, source in part.sources.items()},
        "report": report,
    }
    text = pa.string()
    fields = [pa.field(name, pa.float64() if name == "weight" else text) for name in (*META, *OPTIONAL)]
    fields += [pa.field(name, pa.int16()) for name in columns]
    schema = pa.schema(fields, metadata={_KEY: json.dumps(about, ensure_ascii=False).encode()})
    private = any(part.restricted() for part in parts)
    with replaced(path, private) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(_table(part, schema), row_group_size=max(1, len(part)))


def _table(part: Respondents, schema: pa.Schema) -> pa.Table:
    arrays = [
        pa.array(part.frame[field.name], type=field.type)
        if field.name in part.frame
        else pa.nulls(len(part), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def read_store(path: Path) -> tuple[Respondents, dict[str, Any]]:
    """The respondents of a personas.parquet and its build report. Raises InputError for any other file."""
    try:
        file = open_parquet(path, most=_CELLS)
        about = parse_json((file.schema_arrow.metadata or {}).get(_KEY, b"{}").decode())
        if about.get("format") != FORMAT:
            raise InputError(f"{path} is not a persona file of this version: make one with `mtpa-run personas build`")
        traits = {name: _trait(table) for name, table in about["traits"].items()}
        names = [name for name in traits if name in file.schema_arrow.names and name not in META]
        head = file.read(columns=[*META, *OPTIONAL]).to_pandas()
        codes = np.empty((len(names), len(head)), dtype=np.int16)
        for row, name in enumerate(names):
            column = file.read(columns=[name]).column(0)
            codes[row] = pc.fill_null(column, pa.scalar(NOT_ASKED, pa.int16())).to_numpy()
        sources = {name: Source(**table) for name, table in about["sources"].items()}
    except FileNotFoundError:
        raise InputError(
            f"{path} does not exist: make it with `mtpa-run personas build --survey NAME=FILE` from a survey's file "
            "(`mtpa-run personas list` says where to get which), or take surveys that need no file: "
            'sources = ["starter_wvs3", "starter_gss2018"]'
        ) from None
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} is not a persona file ({error}): make one with `mtpa-run personas build`") from None
    frame = pd.concat([_tidy(head), pd.DataFrame(codes.T, columns=names, copy=False)], axis=1)
    return Respondents(frame, traits, sources), about["report"]


def _tidy(head: pd.DataFrame) -> pd.DataFrame:
    """Text columns as text; an optional column that nobody has goes."""
    unused = [name for name in OPTIONAL if head[name].isna().all()]
    texts = [name for name in (*META, *OPTIONAL) if name != "weight" and name not in unused]
    return head.drop(columns=unused).assign(**{name: head[name].fillna("").astype(object) for name in texts})


def _trait(table: Mapping[str, Any]) -> Trait:
    scale = table["scale"]
    return Trait(
        **{
            **table,
            "labels": {int(code): label for code, label in table["labels"].items()},
            "phrase": _wording(table["phrase"]),
            "paper": _wording(table["paper"]),
            "scale": (scale[0], scale[1]) if scale else None,
        }
    )


def _wording(wording: Wording) -> Wording:
    return wording if isinstance(wording, str) else {int(code): text for code, text in wording.items()}
