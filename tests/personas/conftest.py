"""Small made-up files in the layouts of the official ones."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from personas.surveys.survey import load_survey

Frame = pd.DataFrame
LETTERS = {-1: "a", -2: "b", -3: "c", -4: "d", -5: "e"}


@pytest.fixture(scope="session")
def wvs_frame() -> Callable[..., Frame]:
    """Numbers as the WVS-7 file has them: `wvs_frame(rows, country, first_id)`; missing answers are negative."""

    def make(rows: int = 60, country: str = "IND", first_id: int = 356070001) -> Frame:
        random = np.random.default_rng(first_id)
        ends = {**dict.fromkeys(range(1, 7), 4), **dict.fromkeys(range(7, 27), 2), **dict.fromkeys(range(27, 33), 4)}
        ends |= dict.fromkeys(range(33, 42), 5)
        columns = {f"Q{n}": random.integers(1, ends.get(n, 4) + 1, rows) for n in range(1, 291)}
        frame = pd.DataFrame(
            {"A_WAVE": 7, "B_COUNTRY_ALPHA": country, "D_INTERVIEW": np.arange(rows) + first_id} | columns
        )
        frame = frame.assign(
            W_WEIGHT=np.round(random.uniform(0.5, 2, rows), 4),
            H_URBRURAL=random.integers(1, 3, rows),
            E1_LITERACY=-4,
            N_REGION_ISO=356004,
            Q260=random.integers(1, 3, rows),
            Q262=random.integers(18, 90, rows),
            Q263=1,
            Q266=356,
            Q275=random.integers(0, 9, rows),
            Q288=random.integers(1, 11, rows),
            Q289=random.integers(0, 10, rows),
        )
        frame.loc[:4, "Q1"] = [-1, -2, -4, -5, 1]
        frame.loc[:2, "Q2"] = [-5, 4, 3]
        return frame

    return make


WVS_LABELS = {
    "Q1": {1: "Very important", 2: "Rather important", 3: "Not very important", 4: "Not at all important"},
    "Q46": {1: "Very happy", 2: "Quite happy", 3: "Not very happy", 4: "Not at all happy", -1: "Don't know"},
    "N_REGION_ISO": {356004: "IN-BR Bihar"},
}


@pytest.fixture(scope="session")
def write() -> Callable[[Frame, Path], Path]:
    """Write a WVS frame as its publisher would, by the extension (and ";" with all its traps for names with "semi")."""

    def write_file(frame: Frame, path: Path) -> Path:
        labels = {name: each for name, each in WVS_LABELS.items() if name in frame}
        texts = {"Q46": "Feeling of happiness", "Q1": "Important in life: Family"}
        if path.suffix == ".sav":
            numeric = [name for name in frame if name.startswith(("Q", "H_", "E1"))]
            ranges = {name: [{"lo": -999, "hi": -1}] for name in numeric}
            given = {name: {float(code): text for code, text in each.items()} for name, each in labels.items()}
            as_float = frame.astype({name: float for name in frame if name != "B_COUNTRY_ALPHA"})
            columns = {name: texts.get(name) for name in frame}
            pyreadstat.write_sav(
                as_float, path, missing_ranges=ranges, variable_value_labels=given, column_labels=columns
            )
        elif path.name == "plain.dta":
            pyreadstat.write_dta(frame, path, column_labels={name: texts.get(name) for name in frame})
        elif path.suffix == ".dta":
            letters = frame.astype(object)
            for name in frame.select_dtypes("number"):
                if name.startswith(("Q", "H_", "E1")):
                    letters[name] = frame[name].map(lambda value: LETTERS.get(value, value)).astype(object)
            users = {
                name: list("abcde")
                for name in frame
                if letters[name].map(lambda cell: isinstance(cell, str)).any() and name[0] != "B"
            }
            positive = {n: {code: text for code, text in each.items() if code > 0} for n, each in labels.items()}
            columns = {name: texts.get(name) for name in frame}
            typed = letters.infer_objects()
            pyreadstat.write_dta(
                typed, path, missing_user_values=users, variable_value_labels=positive, column_labels=columns
            )
        elif path.suffix == ".xlsx":
            asked = {name: entry.question for name in frame if (entry := load_survey("wvs7").entry(name))}
            names = {name: f"{name}: {texts.get(name, asked.get(name, 'label'))}" for name in frame}
            frame.rename(columns=names).to_excel(path, index=False)
        elif "semi" in path.name:
            lines = frame.to_csv(index=False, sep=";", decimal=",").splitlines()
            path.write_text("\n".join([lines[0], *(f"{line};" for line in lines[1:])]) + "\n", encoding="utf-8-sig")
        else:
            frame.to_csv(path, index=False)
        return path

    return write_file


@pytest.fixture(scope="session")
def gss_files() -> list[Path]:
    """The real GSS 2018 and 2021, where this machine has them."""
    folder = Path(os.environ.get("MTPA_DATA_DIR", "../shared/data")) / "gss"
    found = [folder / "GSS2018.dta", folder / "GSS2021.dta"]
    if not all(path.exists() for path in found):
        if os.environ.get("CI") == "true":
            pytest.fail(f"{folder} is missing: set MTPA_DATA_DIR")
        pytest.skip(f"{folder} is missing: set MTPA_DATA_DIR")
    return found
