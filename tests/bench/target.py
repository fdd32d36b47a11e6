"""What a precision-targeted run saves against the full crossing, and how often its interval covers the truth.

python tests/bench/target.py [studies]    (200 by default, a design; crossed random effects, skewed)

The reference is the same study asked whole and looked at once. "One look" is the 95 % interval that takes no account of
the looking, at the place where the targeted run stopped.
"""

import sys
import time

import pandas as pd
from scipy import stats

from scoring.statistics.clustered_errors import LEVEL
from scoring.statistics.designs.sequential import SequentialDesign, Target
from scoring.statistics.designs.simulation import Design, simulate
from scoring.statistics.effect import persona_effect

DESIGNS = (
    (Design(100, 100, levels=1, baseline_replicates=50), Target(0.03)),
    (Design(200, 100, levels=1, baseline_replicates=50), Target(0.03)),
    (Design(40, 40, levels=1, baseline_replicates=50), Target(0.07)),
    (Design(100, 100, levels=1, baseline_replicates=5), Target(0.07)),
    (Design(150, 64, levels=5, baseline_replicates=50), Target(0.07, by="level")),
)


def main(studies: int) -> None:
    """A line a design: means over the studies and their levels."""
    start = time.perf_counter()
    print(f"{studies} simulated studies a design; {Target(0.1).rounds} looks at most")
    print("people x items, levels, baseline   target    asked   ± there   ± of full   covers   one look covers")
    for design, target in DESIGNS:
        found = pd.DataFrame([row for seed in range(studies) for row in course(design, target, seed)])
        means = found.mean()
        head = f"{design.personas} x {design.items}, {design.levels}, asked {design.baseline_replicates} times"
        print(
            f"{head:32s}  ± {target.half_width:.3f}  {means['share']:6.1%}    {means['half']:.4f}      "
            f"{means['full']:.4f}   {means['covers']:6.1%}   {means['naive']:6.1%}"
        )
    print(f"{time.perf_counter() - start:.0f} s")


def course(design: Design, target: Target, seed: int) -> list[dict[str, float]]:
    """One study asked round by round; a row a level."""
    study = simulate(design, seed)
    alone = study.scores["persona_id"] == ""
    level = study.scores["level"].astype(str).where(~alone, "") if target.by else alone.map({True: "", False: "all"})
    people = dict(zip(study.scores["persona_id"].astype(str)[~alone], level[~alone], strict=True))
    groups = sorted(study.scores["group"].astype(str).unique())
    run = SequentialDesign(target, people, groups)
    looks = run.looks(study.scores)  # takes from the scores only what the course has asked for
    while run.next_batch(looks):
        looks = run.looks(study.scores)
    rows = []
    for look in looks:
        whole = persona_effect(study.scores[alone | (level == look.level)])
        t = stats.t([look.personas - 1]).ppf
        one_look = look.half_width * (t((1 + LEVEL) / 2) / t((1 + look.confidence) / 2))[0]
        miss = abs(look.effect - study.effect_on_these_items)
        full = (whole.people_high - whole.people_low) / 2
        covers, naive = miss <= look.half_width, miss <= one_look
        share = look.asked / look.rounds
        rows.append({"share": share, "half": look.half_width, "full": full, "covers": covers, "naive": naive})
    return rows


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
