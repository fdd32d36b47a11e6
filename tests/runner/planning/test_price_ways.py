"""`plan --half-width`: ways by stated defaults before there are answers, by what was measured after."""

import asyncio
from pathlib import Path

from fake_llm import FakeLLM
from studies import model, write_study

from runner.engine.run import run
from runner.planning.price_ways import ASSUMED, study_ways
from runner.study.config import Study
from scoring.statistics.designs.power import DEFAULTS
from scoring.statistics.designs.savings import COVARIATE, FULL


def test_a_way_costs_what_its_requests_do_and_rests_on_what_is_known(tmp_path: Path) -> None:
    with FakeLLM() as server:
        price = {"input": 10.0, "output": 10.0}
        paid = model(server.url, name="paid", id="paid", covariate="small", price=price)
        small = model(server.url, name="small", id="small")
        study = Study.load(write_study(tmp_path, [paid, small], n=40, groups=6))
        (found,) = study_ways(study, 0.1)  # the covariate is asked for the other's sake
        assert (found.model, found.covariate, found.of, found.shared) == ("paid", "small", DEFAULTS, ASSUMED)
        assert not found.measured and not found.shared_measured
        ways = {way.name: way for way in found.ways}
        assert ways[FULL].beside == 0 and ways[COVARIATE].beside == 6 * (40 + 1)
        assert found.usd is not None and found.price(ways[FULL]) == ways[FULL].requests * found.usd > 0
        assert found.cheapest == min(found.ways, key=lambda way: way.requests)

        asyncio.run(run(study, pilot=False))
        (found,) = study_ways(study, 0.1)
        assert found.measured and found.shared_measured and found.of != DEFAULTS
