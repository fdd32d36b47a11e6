"""Pickled tables of packages: data from outside, opened with an allow-list."""

import lzma
import pickle
import warnings
from io import BytesIO
from typing import Any

import pandas as pd

from personas.errors import MachineError

# What a pickled pandas data frame of strings and numbers is made of; anything else in a pickle is refused.
_ALLOWED = {
    ("builtins", "slice"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
}


class _FrameUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise MachineError(f"a pickled table asks for {module}.{name}, which is not allowed; nothing was run")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def unpickle_frame(content: bytes) -> pd.DataFrame:
    """A data frame from an xz-compressed pickle that may hold nothing but one. Raises MachineError otherwise."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = _FrameUnpickler(BytesIO(lzma.decompress(content))).load()
    except (pickle.UnpicklingError, lzma.LZMAError, EOFError, AttributeError, ImportError) as error:
        raise MachineError(f"a pickled table cannot be read: {error}") from None
    if not isinstance(frame, pd.DataFrame):
        raise MachineError(f"a pickled table holds a {type(frame).__name__}, not a data frame")
    return frame
