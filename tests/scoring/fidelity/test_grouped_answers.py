"""Measures against popfidelity's, on made-up distributions and on the cells of a real survey (CES 2024)."""

from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from made_up_surveys import as_country, people, played, question
from scipy.stats import kendalltau

from scoring.answers.distances import jensen_shannon, ordinal_wasserstein, total_variation_rows, wasserstein_rows
from scoring.answers.distances import jensen_shannon_rows as js_rows
from scoring.fidelity.grouped_answers import GroupedAnswers, as_answered, total_variances
from scoring.fidelity.survey_answers import AskedQuestion

popfidelity = pytest.importorskip("popfidelity")
CES = files("popfidelity").joinpath("data/ces")


def cells(name: str) -> dict[str, pd.DataFrame]:
    """Shares by question: a row a cell, a column an option."""
    with CES.joinpath(name).open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    if "replicate" in table:
        table = table[(table["replicate"] == table["replicate"].min()) & (table["mode"] == table["mode"].iloc[0])]
        table = table[table["source"] == table["source"].iloc[0]]
    found = {}
    for name_of, rows in table.groupby("question"):
        order = list(dict.fromkeys(rows["option"]))
        shares = rows.pivot_table(index="cell_id", columns="option", values="share")[order].fillna(0.0)
        found[str(name_of)] = shares.div(shares.sum(axis=1), axis=0)
    return found


def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Matching rows: random ones, and those of CES 2024 beside a model's."""
    random = np.random.default_rng(1)
    made = [tuple(random.dirichlet(np.full(steps, 0.4), size=50) for _ in range(2)) for steps in (2, 3, 7)]
    survey, model = cells("survey_cells.csv"), cells("model_cells.csv")
    for name, shares in survey.items():
        other = model[name].reindex(index=shares.index, columns=shares.columns).dropna()
        made.append((shares.loc[other.index].to_numpy(), other.to_numpy()))
    return made  # type: ignore[return-value]


def test_distances_are_popfidelitys() -> None:
    found = pairs()
    assert len(found) == 6 and min(len(first) for first, _ in found[3:]) > 20
    for first, second in found:
        places = np.linspace(0, 1, first.shape[1])
        distance = popfidelity.metrics.distance
        assert js_rows(first, second) == pytest.approx(distance(first, second, "js_distance", base=2.0), abs=1e-9)
        assert total_variation_rows(first, second) == pytest.approx(
            distance(first, second, "total_variation"), abs=1e-9
        )
        theirs = distance(first, second, "normalised_wasserstein", positions=places)
        assert wasserstein_rows(places, first, second) == pytest.approx(theirs, abs=1e-9)
        one, two = list(first[0]), list(second[0])
        assert jensen_shannon(one, two) == pytest.approx(float(js_rows(first, second)[0]), abs=1e-12)
        mine = ordinal_wasserstein(list(places), one, two)
        assert mine == pytest.approx(float(wasserstein_rows(places, first, second)[0]), abs=1e-12)


def test_eta_squared_and_tau_are_popfidelitys() -> None:
    """Without the correction for few answers, ε² is η²."""
    questions = [question("q")]
    everyone = people(400, questions, countries=("NOR", "IND", "USA"))
    answers = played(everyone, range(400), questions, as_country(everyone, 0))
    levels = sorted(answers.people["country"].unique())
    codes = answers.people["country"].map({name: place for place, name in enumerate(levels)}).to_numpy()
    own = answers.questions["q"].own
    counts = np.array([np.bincount(own[codes == level], minlength=4) for level in range(3)], dtype=float)
    shares = counts / counts.sum(axis=1, keepdims=True)
    eta = popfidelity._core.eta_squared(shares, counts.sum(axis=1), [0.0, 1.0, 2.0, 3.0])
    scales = total_variances(answers.questions, answers.weight, codes)
    found = GroupedAnswers(as_answered(answers.questions), answers.weight, codes, 3, scales)
    n = counts.sum()
    assert found.epsilon == pytest.approx(1 - (1 - eta) * (n - 1) / (n - 3), abs=2e-3)  # exact for groups of one size
    means = shares @ np.arange(4.0)
    other = GroupedAnswers(answers.questions, answers.weight, codes, 3, scales)
    assert found.order(found) == pytest.approx(1)
    told = np.array([answers.questions["q"].shares[codes == level].mean(axis=0) @ np.arange(4.0) for level in range(3)])
    tau = popfidelity.structure.correlation(means, told, "kendall")[0]
    assert other.order(found) == pytest.approx(tau) == pytest.approx(kendalltau(means, told).statistic)


def counts(name: str) -> dict[str, pd.Series]:
    """How many answers each cell has, by question."""
    with CES.joinpath(name).open(encoding="utf-8") as file:
        table = pd.read_csv(file)
    return {str(of): rows.groupby("cell_id")["n"].first() for of, rows in table.groupby("question")}


def test_epsilon_squared_and_the_order_of_cells_are_popfidelitys_on_a_real_survey() -> None:
    """CES 2024: ten people a cell, who all answer as the cell's shares are, and weigh what the cell counts.

    Their η² is that of the shares; ε² corrects each variance for the mean that it is about, by Kish's n.
    """
    survey, model, sizes, each = cells("survey_cells.csv"), cells("model_cells.csv"), counts("survey_cells.csv"), 10
    for name, shares in survey.items():
        other = model[name].reindex(index=shares.index, columns=shares.columns).dropna()
        shares, size = shares.loc[other.index], sizes[name].loc[other.index].to_numpy()
        levels, steps = shares.shape
        codes, trait = np.repeat(np.arange(levels), each), question("q", steps=steps)
        weight, people_ = np.repeat(size, each), np.arange(len(codes))
        means = []
        found = []
        for side in (shares.to_numpy(), other.to_numpy()):
            asked = {"q": AskedQuestion(trait, people_, side[codes], np.zeros(len(codes), dtype=np.int64), ())}
            found.append(GroupedAnswers(asked, weight, codes, levels, {"q": 1.0}))
            used = weight.sum() ** 2 / (weight**2).sum()
            eta = popfidelity._core.eta_squared(side, size, [float(step) for step in range(steps)])
            corrected = 1 - (1 - eta) * each / (each - 1) * (used - 1) / used
            assert found[-1].epsilon == pytest.approx(corrected, abs=1e-9)
            means.append(side @ np.arange(steps))
        tau = popfidelity.structure.correlation(*means, "kendall")[0]
        assert levels > 20 and found[1].order(found[0]) == pytest.approx(tau, abs=1e-9)


def test_the_difference_of_epsilon_squared_moves_as_its_influence_says() -> None:
    """What each person adds, against the same number with that person's weight a little larger."""
    questions = [question("q0"), question("colour", ordinal=False)]
    everyone = people(90, questions, countries=("NOR", "IND", "USA"), between=1.0)
    answers = played(everyone, range(90), questions, as_country(everyone, 2))
    codes = answers.people["country"].map({"NOR": 0, "IND": 1, "USA": 2}).to_numpy()
    scales = total_variances(answers.questions, answers.weight, codes)

    def epsilon(weight: np.ndarray) -> float:
        return GroupedAnswers(answers.questions, weight, codes, 3, scales).epsilon

    moved = GroupedAnswers(answers.questions, answers.weight, codes, 3, scales).epsilon_influence(90)
    for person in (0, 17, 60):
        step = np.zeros(90)
        step[person] = 1e-4
        slope = (epsilon(answers.weight + step) - epsilon(answers.weight - step)) / 2e-4
        assert moved[person] == pytest.approx(slope, abs=3e-4)  # but for the corrections by Kish's n
    assert abs(moved).max() > 3e-3
