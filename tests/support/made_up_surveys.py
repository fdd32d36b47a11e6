"""Made-up respondents of several countries, and made-up models that answer as they are told to."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from personas.people.respondents import Respondents
from personas.traits import Trait
from scoring.fidelity.survey_answers import AskedQuestion, Matrix, SurveyAnswers

STEPS = 4
Answer = Callable[[Trait, np.ndarray, pd.DataFrame], Matrix]  # (question, own option, people) → shares of the options


def question(name: str, ordinal: bool = True, steps: int = STEPS) -> Trait:
    labels = {code: f"step {code}" for code in range(1, steps + 1)}
    return Trait(name, f"{name}?", "trust", "value", "Values", labels, ordinal=ordinal)


def people(
    n: int,
    questions: Sequence[Trait],
    seed: int = 0,
    countries: Sequence[str] = ("NOR", "IND"),
    between: float = 0.8,
    within: float = 1.0,
    missing: float = 0.0,
    weighted: bool = False,
) -> Respondents:
    """Answers with a part that all questions share, one of the country and one of the group; group A or B."""
    random = np.random.default_rng(seed)
    country = np.array(countries)[random.integers(len(countries), size=n)]
    shift = dict(zip(countries, np.linspace(-between, between, len(countries)), strict=True))
    group = random.integers(2, size=n)
    common = random.normal(size=n) * within
    columns = {}
    for place, trait in enumerate(questions):
        latent = common + np.array([shift[each] for each in country]) * (1 if place % 2 == 0 else 0.5)
        latent = latent + 0.5 * between * (group - 0.5) + random.normal(size=n)
        steps = len(trait.labels)
        edges = np.linspace(-1.5, 1.5, steps - 1)
        codes = np.searchsorted(edges, latent) + 1
        columns[trait.name] = np.where(random.random(n) < missing, -1, codes).astype(np.int16)
    weight = np.exp(random.normal(size=n) * 0.5) if weighted else np.ones(n)
    head = {"persona_id": [f"s:1:{k}" for k in range(n)], "survey": "s", "wave": "1", "country": country}
    labels = {1: "male", 2: "female"}
    gender = Trait("gender", "Sex", "demographics", "demographic", "Background", labels)
    age = Trait("age", "Age", "demographics", "demographic", "Background", {}, ordinal=True, scale=(0, 120))
    frame = pd.DataFrame({**head, "weight": weight, "gender": (group + 1).astype(np.int16)})
    frame["age"] = random.integers(18, 90, size=n).astype(np.int16)
    traits = {"gender": gender, "age": age, **{trait.name: trait for trait in questions}}
    return Respondents(frame.assign(**columns), traits)


def played(
    everyone: Respondents,
    rows: Sequence[int],
    questions: Sequence[Trait],
    answer: Answer,
    hides: bool = True,
    cluster: Sequence[int] | None = None,
    metric: str = "answer given",
) -> SurveyAnswers:
    """A model's answers as the respondents in these rows."""
    frame = everyone.frame.iloc[list(rows)].reset_index(drop=True)
    table = frame[["persona_id", "country", "survey", "wave", "weight"]].copy()
    table["gender"] = np.where(frame["gender"] == 1, "male", "female")
    table["cluster"] = np.arange(len(frame)) if cluster is None else list(cluster)
    asked = {}
    for trait in questions:
        own = frame[trait.name].to_numpy() - 1
        there = np.flatnonzero(own >= 0)
        shares = answer(trait, own[there], table.iloc[there])
        asked[trait.name] = AskedQuestion(trait, there, shares, own[there].astype(np.int64), ("gender", "age"))
    return SurveyAnswers("m", "trait_inference:survey", "set", metric, table, asked, hides)


def as_respondent(trait: Trait, own: np.ndarray, table: pd.DataFrame) -> Matrix:
    """The respondent's own answer."""
    shares: Matrix = np.eye(len(trait.labels))[own]
    return shares


def as_country(everyone: Respondents, seed: int) -> Answer:
    """A draw from the weighted shares of the country."""
    random = np.random.default_rng(seed)

    def answer(trait: Trait, own: np.ndarray, table: pd.DataFrame) -> Matrix:
        shares = country_table(everyone, trait)
        drawn = [random.choice(len(trait.labels), p=shares[each]) for each in table["country"]]
        return np.eye(len(trait.labels))[drawn]

    return answer


def as_majority(everyone: Respondents) -> Answer:
    """The most frequent answer of the country."""

    def answer(trait: Trait, own: np.ndarray, table: pd.DataFrame) -> Matrix:
        shares = country_table(everyone, trait)
        return np.eye(len(trait.labels))[[int(shares[each].argmax()) for each in table["country"]]]

    return answer


def country_table(everyone: Respondents, trait: Trait) -> dict[str, np.ndarray]:
    """The weighted shares of a question's options in each country."""
    frame = everyone.frame[everyone.frame[trait.name] > 0]
    found = {}
    for country, rows in frame.groupby("country"):
        counts = np.bincount(rows[trait.name] - 1, weights=rows["weight"], minlength=len(trait.labels))
        found[str(country)] = counts / counts.sum()
    return found
