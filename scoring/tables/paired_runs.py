"""Two scores of the same trial in the form that the persona effect is estimated from."""

import pandas as pd


def as_effect(rows: pd.DataFrame, one: pd.Series, two: pd.Series) -> pd.DataFrame:
    """A frame for `persona_effect` in which `two` is the score with persona and `one` its own baseline.

    Each persona and item become an item of their own in the baseline's eyes, and keep their persona and group clusters.
    """
    trial = rows["persona_id"].astype(str) + "\x1f" + rows["item_id"].astype(str)
    shared = rows.drop(columns=["one", "two"]).assign(item_id=trial)
    return pd.concat([shared.assign(persona_id="", value=one), shared.assign(value=two)], ignore_index=True)
