"""How often the 95 % intervals cover the truth, and how often a family under the null has a false discovery.

python tests/bench/coverage.py [studies]    (1,000 by default; crossed random effects, skewed, noisy baseline)
"""

import sys
import time
from collections import defaultdict

import numpy as np

from scoring.statistics.effect import persona_effect
from scoring.statistics.simulation import Design, simulate
from scoring.statistics.subgroups import Slicing, effect_tables

PERSONAS = (5, 10, 20, 50, 100, 200)
ITEMS = (5, 10, 20, 50, 100, 300)


def main(studies: int) -> None:
    """Print coverage by scope and size, then false discoveries per family."""
    sizes = [(personas, items) for personas in PERSONAS for items in ITEMS]
    covered: dict[tuple[int, int, str], list[bool]] = defaultdict(list)
    start = time.perf_counter()
    for size, (personas, items) in enumerate(sizes):
        for number in range(max(1, studies // len(sizes))):
            study = simulate(Design(personas, items), seed=1000 * size + number)
            found = persona_effect(study.scores, seed=number)
            key = (personas, items)
            covered[*key, "people"].append(found.people_low <= study.effect_on_these_items <= found.people_high)
            covered[*key, "items too"].append(found.items_low <= study.effect <= found.items_high)
    print("coverage of 95 % intervals        people   items too   studies")
    for key in sizes:
        rates = [f"{np.mean(covered[*key, scope]):9.1%}" for scope in ("people", "items too")]
        print(f"{key[0]:4d} personas x {key[1]:3d} items", *rates, f"{len(covered[*key, 'people']):9d}")
    for least, most in ((5, 9), (10, 19), (20, 10_000)):
        keys = [key for key in sizes if least <= min(key) <= most]
        rates = [np.mean([hit for key in keys for hit in covered[*key, scope]]) for scope in ("people", "items too")]
        label = f"fewest clusters {least}-{most}" if most < 1000 else f"fewest clusters {least} up"
        print(f"{label:28s}", *(f"{rate:8.1%}" for rate in rates))
    _families(min(studies, 1000))
    print(f"{time.perf_counter() - start:.0f} s")


def _families(studies: int) -> None:
    """Under the null: families with a Holm-adjusted p under .05, and omnibus p under .05."""
    found, omnibus = [], []
    for number in range(studies):
        study = simulate(Design(100, 40), seed=900_000 + number)
        tables = effect_tables(study.scores, Slicing(("level",), min_n=20, seed=number))
        found.append(bool((tables.effects["gap_holm"] < 0.05).any()))
        omnibus.append(bool(tables.families["omnibus_p"].iloc[0] <= 0.05))
    print(f"families of 5 levels x 20 personas under the null: {np.mean(found):.1%} with a Holm discovery, ", end="")
    print(f"{np.mean(omnibus):.1%} with an omnibus p up to .05 ({studies} families)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
