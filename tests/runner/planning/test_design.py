"""`plan --resolve` takes the variances that the study itself measured, part by part."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from fake_llm import FakeLLM

from runner.engine.run import run
from runner.planning.design import resolutions
from runner.planning.facet_plan import facet_plans, measured_facets
from runner.results.study_report import study_findings
from runner.study.config import Study
from scoring.statistics.designs.power import Components, resolvable_gap

STUDY = """
[study]
name = "s"
database = "s.sqlite"
seed = 3
[personas]
sources = ["starter_wvs3"]
n = 20
stratify = ["country"]
allocation = "equal"
traits = "all"
[[benchmarks]]
name = "bbq"
groups = 3
rotations = 2
[[benchmarks]]
name = "truthfulqa_v0"
part = "any_true"
groups = 8
[[benchmarks]]
name = "normad"
part = "rot"
groups = 8
[[benchmarks]]
name = "crows_pairs"
part = "choice"
groups = 8
[[models]]
name = "m"
backend = "openai-compatible"
id = "m"
base_urls = ["URL"]
answer = "text"
decoding = { max_tokens = 3 }
[report]
by = ["country"]
min_n = 5
"""


class Answers(FakeLLM):
    """A or B by the text of the whole request."""

    def letter(self, body: str) -> str:
        return "AB"[hashlib.sha256(body.encode()).digest()[0] % 2]


@pytest.mark.slow
def test_every_part_has_its_own_measured_variances(tmp_path: Path) -> None:
    with Answers() as server:
        (tmp_path / "s.toml").write_text(STUDY.replace("URL", server.url))
        study = Study.load(tmp_path / "s.toml")
        before = list(resolutions(study, "country", 0.2))
        assert {row.source for row in before} == {"defaults"}
        assert asyncio.run(run(study, pilot=False)).exit_code == 0
    rows = {row.benchmark: row for row in resolutions(study, "country", 0.2)}
    tables = study_findings(study).tables
    table = tables["components"].set_index("benchmark")
    assert set(rows) == set(table.index) == {row.benchmark for row in before}
    assert len(rows) == 4 and any(":" in name for name in rows)
    for name, row in rows.items():
        assert row.source == "measured", name
        of = Components(*table.loc[name, ["persona", "group", "level_group", "residual"]])
        groups, rotated = (3, 2) if name == "bbq" else (8, 1)
        assert row.now == pytest.approx(resolvable_gap(of, 5, 4, groups, rotated)), name
        assert row.plan is None or row.plan.resolves <= 0.2
    facets = tables["facets"]
    known = measured_facets(study)
    for plan in facet_plans(study, 0.3):
        own = facets[facets["benchmark"] == plan.benchmark]
        assert plan.source == "measured" and ("rotation" in plan.held) == (plan.benchmark != "bbq")
        assert known["m", plan.benchmark].by_source == dict(zip(own["source"], own["variance"], strict=True))
