"""Small made-up files in the layouts of the official ones."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat

from personas.surveys.survey import load_survey

LETTERS = {-1: "a", -2: "b", -3: "c", -4: "d", -5: "e"}
WVS_LABELS = {
    "Q1": {1: "Very important", 2: "Rather important", 3: "Not very important", 4: "Not at all important"},
    "Q46": {1: "Very happy", 2: "Quite happy", 3: "Not very happy", 4: "Not at all happy", -1: "Don't know"},
    "N_REGION_ISO": {356004: "IN-BR Bihar"},
}


def wvs_frame(rows: int = 60, country: str = "IND", first_id: int = 356070001) -> pd.DataFrame:
    """Numbers as the WVS-7 file has them; missing answers are negative."""
    random = np.random.default_rng(first_id)
    ends = {**dict.fromkeys(range(1, 7), 4), **dict.fromkeys(range(7, 27), 2), **dict.fromkeys(range(27, 33), 4)}
    ends |= dict.fromkeys(range(33, 42), 5)
    columns = {f"Q{n}": random.integers(1, ends.get(n, 4) + 1, rows) for n in range(1, 291)}
    frame = pd.DataFrame({"A_WAVE": 7, "B_COUNTRY_ALPHA": country, "D_INTERVIEW": np.arange(rows) + first_id} | columns)
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


def write_wvs(frame: pd.DataFrame, path: Path) -> Path:
    """Write a WVS frame as its publisher would, by the extension (and ";" with all its traps for names with "semi")."""
    labels = {name: each for name, each in WVS_LABELS.items() if name in frame}
    texts = {"Q46": "Feeling of happiness", "Q1": "Important in life: Family"}
    if path.suffix == ".sav":
        numeric = [name for name in frame if name.startswith(("Q", "H_", "E1"))]
        ranges = {name: [{"lo": -999, "hi": -1}] for name in numeric}
        given = {name: {float(code): text for code, text in each.items()} for name, each in labels.items()}
        as_float = frame.astype({name: float for name in frame if name != "B_COUNTRY_ALPHA"})
        columns = {name: texts.get(name) for name in frame}
        pyreadstat.write_sav(as_float, path, missing_ranges=ranges, variable_value_labels=given, column_labels=columns)
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


def evs_frame() -> pd.DataFrame:
    """Eight respondents as ZA7500 has them."""
    rows = 8
    columns = {f"v{n}": [1, 2, 1, 2, 1, 2, 1, 2] for n in range(1, 150)}
    frame = pd.DataFrame(columns | {"v225": [1, 2] * 4, "v227": [1] * 6 + [2] * 2, "v261": range(1, 9)})
    return frame.assign(
        studyno=7500,
        id_cocas=np.arange(rows) + 2_000_000_001,
        c_abrv=["DE", "DE", "GB-GBN", "GB-NIR", "XK", "NO", "NO", "NO"],
        age=[18, 82, 40, 41, 42, 43, 44, -1],
        v1=[4, 4, 4, 4, 4, 4, 4, 4],
        v2=[1, 2, 3, 4, -1, -6, -9, -10],
        v51=[1, 1, 1, 2, 1, 1, 1, 1],
        v52=[3, 8, 1, -3, 5, 6, 7, 9],
        v114=[1, 2, 3, 1, 2, 3, 1, 2],
        v228b_r=[-3, -3, -3, -3, -3, -3, 5, 616],
        v243_ISCED_1=[0, 1, 2, 3, 4, 66, 7, 8],
        v276_r=[1, 2, 3, 4, 5, -2, 1, 1],
        gweight=1.5,
    )


def gss_frame(rows: int = 60, year: int = 2022) -> pd.DataFrame:
    """One wave of the General Social Survey, with the columns that its description names first."""
    random = np.random.default_rng(year)
    ends = {"sex": 2, "degree": 4, "born": 2, "relig": 13, "income16": 26, "srcbelt": 6, "polviews": 7, "religimp": 4}
    columns = {name: random.integers(1, end + 1, rows) for name, end in ends.items()}
    return pd.DataFrame(
        {"year": year, "id": np.arange(rows) + 1, "age": random.integers(18, 90, rows), "wtssps": 1.0} | columns
    )
