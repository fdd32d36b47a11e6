"""Builds 231,000 respondents from made-up files of official size; prints seconds, processor time and peak memory.

Run: python tests/bench/survey_build.py [FOLDER]. The files are written to FOLDER once (1 GB; a temporary folder
otherwise), and the build runs in a process of its own, so that the peak is that of the build alone.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pycountry
import pyreadstat

sys.path.pop(0)  # this folder: the script would hide the package whose name it has
from personas.people.respondents import combine
from personas.people.sample import deviation, sample
from personas.release.parquet import write_personas
from personas.surveys.build import BuildOptions, SurveyRequest, build

STRATA = ["country", "age_band", "gender"]
ALPHA3 = [entry.alpha_3 for entry in pycountry.countries]
ALPHA2 = [entry.alpha_2 for entry in pycountry.countries]


def answers(random: np.random.Generator, rows: int, highest: int, missing: float = 0.05) -> np.ndarray:
    """Answers from 1 to `highest`, some of them -1 to -5."""
    codes = random.integers(1, highest + 1, rows).astype(float)
    lost = random.random(rows) < missing
    codes[lost] = -random.integers(1, 6, int(lost.sum()))
    return codes


def write_wvs(path: Path) -> None:
    """97,000 × 500, .sav, missing values as SPSS ranges; 500 people answer as the one before."""
    random, rows = np.random.default_rng(1), 97_000
    scales = {**dict.fromkeys(range(1, 7), 4), **dict.fromkeys(range(7, 27), 2), **dict.fromkeys(range(27, 33), 4)}
    columns: dict[str, np.ndarray] = {f"Q{n}": answers(random, rows, scales.get(n, 5)) for n in range(1, 291)}
    columns |= {
        "A_WAVE": np.full(rows, 7.0),
        "B_COUNTRY_ALPHA": np.array(ALPHA3)[np.sort(random.integers(0, 66, rows))],
    }
    columns |= {"D_INTERVIEW": np.arange(rows) + 1e7, "W_WEIGHT": random.uniform(0.5, 2, rows)}
    columns |= {"Q260": answers(random, rows, 2), "Q262": random.integers(16, 95, rows).astype(float)}
    columns |= {"Q263": answers(random, rows, 2), "Q266": random.choice([356.0, 578.0, 840.0], rows)}
    columns |= {"Q275": answers(random, rows, 8), "Q288": answers(random, rows, 10), "Q289": answers(random, rows, 9)}
    columns |= {"H_URBRURAL": answers(random, rows, 2), "E1_LITERACY": answers(random, rows, 2, 0.6)}
    columns |= {f"other{n}": answers(random, rows, 5) for n in range(500 - len(columns))}
    frame = pd.DataFrame(columns)
    copied = random.choice(rows - 1, 500, replace=False)
    items = [name for name in frame if name.startswith("Q")]
    frame.loc[copied + 1, items] = frame.loc[copied, items].to_numpy()
    frame["B_COUNTRY_ALPHA"] = frame["B_COUNTRY_ALPHA"].astype(object)
    ranges = {name: [{"lo": -999, "hi": -1}] for name in frame if name.startswith("Q")}
    labels = {
        name: {1.0: "Yes", 2.0: "Rather", 3.0: "Neither", 4.0: "Hardly", 5.0: "No"} for name in list(frame)[60:250]
    }
    pyreadstat.write_sav(frame, path, missing_ranges=ranges, variable_value_labels=labels)


def write_evs(path: Path) -> None:
    """59,000 × 470, .dta, missing values as negatives."""
    random, rows = np.random.default_rng(2), 59_000
    scales = {**dict.fromkeys(range(1, 7), 4), **dict.fromkeys(range(22, 31), 2), **dict.fromkeys(range(85, 96), 2)}
    scales |= {**dict.fromkeys(range(72, 80), 4), 51: 2, 225: 2, 227: 2, 261: 10, 52: 9}
    columns: dict[str, np.ndarray] = {f"v{n}": answers(random, rows, scales.get(n, 5)) for n in range(1, 283)}
    columns |= {"id_cocas": np.arange(rows) + 1e6, "c_abrv": np.array(ALPHA2)[np.sort(random.integers(0, 36, rows))]}
    columns |= {"age": random.integers(18, 83, rows).astype(float), "gweight": random.uniform(0.5, 2, rows)}
    columns |= {"v243_ISCED_1": answers(random, rows, 8), "v276_r": answers(random, rows, 5)}
    columns |= {"v228b_r": random.choice([-3.0, 276.0, 616.0], rows)}
    columns |= {f"other{n}": answers(random, rows, 5) for n in range(470 - len(columns))}
    pyreadstat.write_dta(pd.DataFrame(columns), path)


def write_gss(path: Path) -> None:
    """75,000 rows of the cumulative file's columns that are used, .dta, one wave every 2,200 rows."""
    random, rows = np.random.default_rng(3), 75_000
    columns = {"year": 1972 + np.arange(rows) // 1_500, "id": np.arange(rows) % 1_500 + 1}
    columns |= {"age": random.integers(18, 90, rows), "sex": random.integers(1, 3, rows)}
    columns |= {"degree": random.integers(0, 5, rows), "born": random.integers(1, 3, rows)}
    columns |= {"relig": random.integers(1, 14, rows), "income16": random.integers(1, 27, rows)}
    columns |= {"srcbelt": random.integers(1, 7, rows), "polviews": random.integers(1, 8, rows)}
    columns |= {"religimp": random.integers(1, 5, rows), "cappun": random.integers(1, 3, rows)}
    columns |= {"fepol": random.integers(1, 3, rows), "wtssps": random.uniform(0.5, 2, rows)}
    columns |= {name: random.integers(1, 6, rows) for name in ("thnkself", "workhard", "obey")}
    columns |= {f"nat{n}": random.integers(1, 4, rows) for n in range(100)}
    pyreadstat.write_dta(pd.DataFrame(columns), path)


def measure(folder: Path) -> None:
    """Build, write and sample; print where the time goes."""
    start = time.perf_counter()
    requests = [
        SurveyRequest("wvs7", (folder / "wvs.sav",)),
        SurveyRequest("evs2017", (folder / "evs.dta",)),
        SurveyRequest("gss", (folder / "gss.dta",), tuple(range(1972, 2025))),
    ]
    with watched() as held:
        parts, reports = build(requests, BuildOptions())
        built = time.perf_counter()
        write_personas(folder / "personas.parquet", parts, {})
        written = time.perf_counter()
        everyone = combine(parts)
        drawn = sample(everyone, 50_000, STRATA, seed=0)
        done = time.perf_counter()
    cell, gap = deviation(everyone, drawn, STRATA)
    processor = sum(sum(each.cpu_times()[:2]) for each in (psutil.Process(), *psutil.Process().children()))
    for report in reports:
        print(
            f"{report.survey}: {report.rows_out:,} of {report.rows_in:,} respondents, {report.traits_out} traits, "
            f"{len(report.near_duplicates)} near-duplicates dropped"
        )
    print(f"read and cleaned {built - start:.1f} s, written {written - built:.1f} s, sampled {done - written:.1f} s")
    print(f"{len(everyone):,} personas and a sample of {len(drawn):,}: {done - start:.1f} s")
    print(f"{processor:.1f} s of processor time, peak {held[0]:.2f} GiB, all processes together")
    print(f"largest deviation of a joint cell: {gap:+.4%} ({cell})")


@contextmanager
def watched() -> Iterator[list[float]]:
    """What this process and those that it starts hold together (GiB), looked at forty times a second."""
    held, ended = [0.0], threading.Event()
    own = psutil.Process()

    def look() -> None:
        while not ended.wait(0.025):
            processes = [own, *own.children()]
            with suppress(psutil.NoSuchProcess):
                held[0] = max(held[0], sum(each.memory_info().rss for each in processes) / 1024**3)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    yield held
    ended.set()
    watcher.join()


def main(folder: Path) -> None:
    """Write the files that are not there yet, then measure in a process of its own."""
    for name, write in {"wvs.sav": write_wvs, "evs.dta": write_evs, "gss.dta": write_gss}.items():
        if not (folder / name).exists():
            write(folder / name)
    subprocess.run([sys.executable, "-m", "tests.bench.survey_build", "--measure", str(folder)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]))
    elif len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
