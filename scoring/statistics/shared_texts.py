"""Who reads the same text: persona clusters, where what a variant shows is not the shown traits of its format."""

from typing import Any

import numpy as np
import pandas as pd

from scoring.statistics.codes import linked
from scoring.statistics.pairs import CONTROL, TEXT


def same_text_columns(cluster: pd.Categorical, frame: pd.DataFrame, read: pd.DataFrame) -> dict[str, Any]:
    """The column `cluster` of the rows of `frame` (persona, variant).

    Where there are cues, also `same_text`: who reads the same in the row's variant.

    `read` has persona, variant, format and the text that was read, of the neutral control and of cues. The control's
    clusters are its own. All other variants are pooled in a report, so that those who read the same in any of them are
    one cluster in all.
    """
    if read.empty:
        return {"cluster": cluster}
    found = frame[["persona", "variant"]].merge(read, on=["persona", "variant"], how="left")
    name = (found["format"].where(found["format"] != CONTROL, "control") + " " + found["text"].astype(str)).to_numpy()
    own = pd.Series(cluster).astype(object).where(found["text"].isna().to_numpy(), name)
    if (read["format"] == CONTROL).all():
        return {"cluster": pd.Categorical(own)}
    pooled = ((frame["persona"] > 0).to_numpy() & (found["format"] != CONTROL).to_numpy()).nonzero()[0]
    joined = own.copy()
    joined.iloc[pooled] = _joined(frame["persona"].iloc[pooled], own.iloc[pooled])
    return {"cluster": pd.Categorical(joined), TEXT: pd.Categorical(own)}


def _joined(persona: pd.Series, text: pd.Series) -> np.ndarray:
    """A name for each row's people: those who are linked by a text that they share."""
    people, texts = (np.asarray(pd.factorize(column)[0]) for column in (persona, text))
    units = linked(people, texts)
    names = np.array([f"text {number}" for number in range(int(units.max(initial=-1)) + 1)], dtype=object)
    found: np.ndarray = names[units]
    return found
