"""What many requests will cost together."""

from runner.engine.estimate import CostEstimate
from runner.study.sections import Price

TIERED = Price.model_validate({"input": 1, "output": 4, "tiers": [{"over": 1000, "input": 2, "output": 6}]})


def test_many_short_prompts_are_not_one_long_one() -> None:
    found = CostEstimate(0.25, 1.0, 1.0, None, TIERED, 0)
    assert found.cost(600_000, 1_000, longest=600) == 600_000 + 4_000
    assert found.cost(600_000, 1_000, longest=1_001) == 1_200_000 + 6_000
    assert found.cost(1_001, 1) == 2_002 + 6  # one request alone
