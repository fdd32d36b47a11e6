"""Small made-up files in the layouts of the official ones, and the real ones of the GSS."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import survey_files


@pytest.fixture(scope="session")
def wvs_frame() -> Callable[..., pd.DataFrame]:
    """`wvs_frame(rows, country, first_id)`."""
    return survey_files.wvs_frame


@pytest.fixture(scope="session")
def write() -> Callable[[pd.DataFrame, Path], Path]:
    """`write(frame, path)`."""
    return survey_files.write_wvs


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
