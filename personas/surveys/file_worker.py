"""The process in which SPSS and Stata files are read: a damaged one may crash the library that reads it.

Run by path in Python's isolated mode: it imports nothing of this project. `file_process.py` starts it and sends, over a
pipe whose number is the argument, a path and pyreadstat's options; what comes back is the table and what the file says
of it, or what is wrong with it.
"""

import pickle
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import pyreadstat

_ABOUT = (
    "column_names",
    "column_names_to_labels",
    "missing_ranges",
    "number_rows",
    "variable_measure",
    "variable_value_labels",
)


def answer(path: str, options: dict[str, Any]) -> dict[str, Any]:
    """{"frame": ..., "about": ...}, or {"error": text, "encoding": whether a text is not in the file's encoding}."""
    read = pyreadstat.read_dta if path.lower().endswith(".dta") else pyreadstat.read_sav
    try:
        frame, meta = read(path, **options)
    except Exception as error:  # what a library says of a damaged file is anything at all
        encoding = isinstance(error, UnicodeDecodeError) or (
            isinstance(error, pyreadstat.ReadstatError | pyreadstat.PyreadstatError) and "convert" in str(error).lower()
        )
        return {"error": str(error) or type(error).__name__, "encoding": encoding}
    return {"frame": frame, "about": {name: getattr(meta, name) for name in _ABOUT}}


def send(pipe: Connection, reply: dict[str, Any]) -> None:
    """A reply, its arrays apart, so that they are copied less."""
    arrays: list[pickle.PickleBuffer] = []
    packed = pickle.dumps(reply, protocol=5, buffer_callback=arrays.append)
    pipe.send((packed, [array.raw().nbytes for array in arrays]))
    for array in arrays:
        pipe.send_bytes(array.raw())


if __name__ == "__main__":
    pipe = Connection(int(sys.argv[1]))
    with suppress(EOFError, OSError):  # the parent is gone
        while True:
            send(pipe, answer(*pipe.recv()))
