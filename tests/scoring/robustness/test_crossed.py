"""Variance components beside expected mean squares, REML, and leaving a level out by hand."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from scoring.robustness.crossed import Component, Crossed


def study(people: int, items: int, wordings: int, seed: int, spreads: dict[str, float]) -> pd.DataFrame:
    """Additive normal effects, every combination once."""
    random = np.random.default_rng(seed)
    axes = {"p": people, "i": items, "w": wordings}
    index = pd.MultiIndex.from_product([range(size) for size in axes.values()], names=list(axes))
    table = index.to_frame(index=False)
    d = 0.5 * random.normal(size=len(table))
    for names, spread in spreads.items():
        code = table.groupby(list(names)).ngroup().to_numpy()
        d = d + spread * random.normal(size=code.max() + 1)[code]
    return table.assign(d=d)


def found_in(table: pd.DataFrame) -> dict[str, Component]:
    sides = [{"persona": table["p"].to_numpy()}, {"item": table["i"].to_numpy()}, {"wording": table["w"].to_numpy()}]
    return {each.source: each for each in Crossed(table["d"].to_numpy(), sides).components()}


def test_on_complete_data_it_is_expected_mean_squares() -> None:
    table = study(9, 7, 4, 1, {"p": 0.6, "i": 0.4, "w": 0.3, "pi": 0.3})
    d = table["d"].to_numpy().reshape(9, 7, 4)
    axes = {"p": 0, "i": 1, "w": 2}

    def mean_square(names: str) -> float:
        """Of the interaction of these facets, by inclusion and exclusion of marginal means."""
        total = np.zeros_like(d)
        for mask in range(2 ** len(names)):
            kept = [name for place, name in enumerate(names) if mask >> place & 1]
            dropped = tuple(axis for name, axis in axes.items() if name not in kept)
            total = total + (-1) ** (len(names) - len(kept)) * d.mean(axis=dropped, keepdims=True)
        return float((total**2).sum() / np.prod([d.shape[axes[name]] - 1 for name in names]))

    found = found_in(table)
    rest, pi, pw, iw = (mean_square(names) for names in ("piw", "pi", "pw", "iw"))
    assert found["rest"].raw == pytest.approx(rest)
    assert found["persona × item"].raw == pytest.approx((pi - rest) / 4)
    assert found["item × wording"].raw == pytest.approx((iw - rest) / 9)
    assert found["persona"].raw == pytest.approx((mean_square("p") - pi - pw + rest) / 28)
    assert found["wording"].raw == pytest.approx((mean_square("w") - pw - iw + rest) / 63)
    assert np.isnan(found["wording"].low) and np.isnan(found["item × wording"].low)  # four wordings
    assert found["persona"].low < found["persona"].raw < found["persona"].high


def test_it_is_reml_on_complete_data_and_near_it_where_a_third_is_missing() -> None:
    whole, large = (study(*size, 1, 3, {"p": 0.6, "i": 0.4}) for size in ((12, 10), (30, 30)))
    some = large[np.random.default_rng(1).random(len(large)) < 0.67]
    for table, near in ((whole, 0.003), (some, 0.1)):
        effects = {"p": "0 + C(p)", "i": "0 + C(i)"}
        fitted = smf.mixedlm("d ~ 1", table.assign(one=1), groups="one", vc_formula=effects, re_formula="0").fit()
        reml = dict(zip(["item", "persona"], fitted.vcomp, strict=True)) | {"rest": fitted.scale}
        found = found_in(table)
        assert {name: each.raw for name, each in found.items()} == pytest.approx(reml, rel=near)


def test_what_is_left_out_is_what_the_rest_alone_gives() -> None:
    table = study(8, 6, 5, 2, {"p": 0.5, "iw": 0.5})
    table = table[np.random.default_rng(4).random(len(table)) < 0.8].reset_index(drop=True)
    sides = [{"persona": table["p"].to_numpy()}, {"item": table["i"].to_numpy()}, {"wording": table["w"].to_numpy()}]
    whole = Crossed(table["d"].to_numpy(), sides)
    for place, name in enumerate("piw"):
        without = whole._without(tuple(int(each == place) for each in range(3)))
        alone = found_in(table[table[name] != 0])
        assert without is not None
        assert without[0] == pytest.approx([alone[whole.source(key)].raw for key in whole.effects])


def test_a_facet_within_another_and_what_cannot_be_told_apart() -> None:
    """Orders are of an item; a wording that everybody of one half alone was asked in is not crossed with people."""
    random = np.random.default_rng(5)
    p, i, r = (each.ravel() for each in np.meshgrid(range(40), range(12), range(2), indexing="ij"))
    d = 0.5 * random.normal(size=(12, 2))[i, r] + 0.2 * random.normal(size=len(p))
    sides = [{"persona": p}, {"item": i, "rotation": 2 * i + r}, {"wording": p % 2}]
    found = {each.source: each for each in Crossed(d, sides).components()}
    assert "persona × wording" in found and "persona" not in found
    assert found["rotation"].levels == 24 and found["rotation"].raw == pytest.approx(0.25, rel=0.5)
    assert sum(each.variance for each in found.values()) == pytest.approx(d.var(), rel=0.2)
