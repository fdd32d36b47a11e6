"""From a record's values to an item: options that have no place on the scale."""

import json
from pathlib import Path

import pytest
from studies import ROOT

from personas.errors import InputError
from scoring.benchmarks.registry import benchmark

DOCS = ROOT / "docs" / "benchmarks"
RECORD = {"key": "MOVE", "question": "Would you move?", "attribute": "EDUCATION", "group": "College graduate"}


@pytest.mark.parametrize(
    ("options", "roles", "ordinals"),
    [
        (["Yes", "No", "Refused"], (None, None, "refusal"), (0.0, 1.0, 0.0)),
        (["Yes", "No", "Not sure", "Refused"], (None, None, "refusal", "refusal"), (0.0, 1.0, 0.0, 0.0)),
        (["Yes", "No", "Not sure"], None, None),  # without a refusal among them, places are missing
    ],
)
def test_options_after_the_last_place_stand_beside_the_scale(
    options: list[str], roles: object, ordinals: object, tmp_path: Path
) -> None:
    record = {**RECORD, "references": options, "option_ordinal": [1.0, 2.0], "D_H": [1.0] * len(options)}
    (tmp_path / "opinionqa.jsonl").write_text(json.dumps(record) + "\n")
    lines = (DOCS / "opinionqa.toml").read_text().splitlines()
    (tmp_path / "opinionqa.toml").write_text("\n".join(each for each in lines if not each.startswith("sha256")))
    found = benchmark(str(tmp_path / "opinionqa.toml"))
    if roles is None:
        with pytest.raises(InputError, match="3 options, but 2 ordinals"):
            list(found.load(tmp_path))
        return
    (item,) = found.load(tmp_path)
    assert (item.roles, item.ordinals) == (roles, ordinals)
