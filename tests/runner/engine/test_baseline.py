"""How often a sampled baseline is asked, and what its replicates are for."""

import math
from pathlib import Path

import pytest
from fake_llm import FakeLLM
from studies import load, model, rows

from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.plan import plan
from runner.results.study_report import study_findings

COUNTS = "SELECT persona = 0, count(*), count(DISTINCT replicate) FROM score GROUP BY 1 ORDER BY 1"


def drawn(url: str, **changes: object) -> dict[str, object]:
    """A model whose answers are draws and whose study names no number of replicates."""
    return {key: value for key, value in model(url, **changes).items() if key != "baseline_replicates"}


async def test_a_sampled_baseline_is_asked_as_often_as_is_cheapest(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [drawn(server.url)], n=10, groups=8)
        # A = 0.004 + 0.12/8 and B = 0.12/8: 10 people, 10 * sqrt(B/A) = 8.9 times
        with prepared(study) as ready:
            found = plan(ready)
        assert any("the sampled baseline is asked 9 times (the cheapest" in line for line in found.remarks)
        state = await run(study)
        assert rows(tmp_path, COUNTS) == [(0, 80, 1), (1, 72, 9)]
        assert state.total("planned") == state.total("done") == sum(row.trials for row in found.rows) == 152
        overall = study_findings(study).effects.iloc[0]
        assert overall["people_method"] == "score" and overall["people_low"] < overall["people_high"]
        # more people ask only what is new, of the baseline too
        sent, larger = server.requests, load(tmp_path, [drawn(server.url)], n=20, groups=8)
        await run(larger)
        assert rows(tmp_path, COUNTS) == [(0, 160, 1), (1, 144, 18)]
        assert server.requests - sent <= 80 + 72


async def test_replicates_go_with_the_people(tmp_path: Path) -> None:
    study = load(tmp_path, [drawn("http://127.0.0.1:9/v1")], n=10, groups=8)
    with prepared(study) as ready:
        (asked,) = ready.crossing.models
        order = [trial.trial for trial in ready.crossing.trials(asked)]
    half = order[: len(order) // 2]
    assert len({each.persona for each in half} - {0}) in (4, 5)
    assert max(each.replicate for each in half) in (4, 5)
    assert len(set(order)) == len(order)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"decoding": {"max_tokens": 3, "temperature": 0}}, 1),
        ({"baseline_replicates": 3}, 3),
        ({"replicates": 2, "baseline_replicates": 1}, 2),
        ({"answer": "probabilities"}, 1),
    ],
)
async def test_where_it_is_not_drawn_or_the_study_says(
    changes: dict[str, object], expected: int, tmp_path: Path
) -> None:
    study = load(tmp_path, [drawn("http://127.0.0.1:9/v1") | changes], n=3, groups=4)
    with prepared(study) as ready:
        (asked,) = ready.crossing.models
        alone = [trial.trial.replicate for trial in ready.crossing.baseline(asked)]
        counts = {count for _, count in ready.crossing.counts(asked)}
    assert max(alone) + 1 == expected
    told = 3 * int(changes.get("replicates", 1))  # type: ignore[call-overload]
    assert counts == {expected + told}


async def test_a_baseline_drawn_once_has_no_interval_for_these_items(tmp_path: Path) -> None:
    with FakeLLM() as server:
        study = load(tmp_path, [model(server.url)], n=6, groups=8)
        await run(study)
    found = study_findings(study)
    assert math.isnan(found.effects.iloc[0]["people_low"])
    assert any("sampled once" in line for line in found.warnings)
