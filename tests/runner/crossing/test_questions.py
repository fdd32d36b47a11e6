"""Who is asked a question: what is counted beforehand is what is asked."""

from collections import Counter
from pathlib import Path

import pytest
import studies

from runner.crossing.prepare import prepared
from runner.study.config import Study

MODELS = [
    studies.model("http://127.0.0.1:1/v1", name="dear", id="dear", covariate="cheap", people=9, replicates=2),
    studies.model("http://127.0.0.1:1/v1", name="cheap", id="cheap", baseline_replicates=3),
]
GROUPS, PEOPLE = ("groups = 6\n", "groups = 6\nrotations = 2\n"), ("n = 12\n", 'n = 12\nswap = ["gender"]\n')
TRAITS = ("[[benchmarks]]\n", '[[benchmarks]]\nname = "trait_inference"\npart = "shares"\n[[benchmarks]]\n')
CHANGES = {
    "everybody": [GROUPS],
    "twins": [GROUPS, PEOPLE],
    "hidden traits": [GROUPS, TRAITS],
    "dealt": [("groups = 6\n", "groups = 6\nper_person = 2\n"), PEOPLE, TRAITS],
    "profiles": [GROUPS, ("n = 12\n", 'n = 12\nshow = "random:3"\nprofiles = 2\n')],
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize("part", ["1/1", "2/3"])
def test_as_many_trials_are_asked_as_are_counted(tmp_path: Path, changes: list[tuple[str, str]], part: str) -> None:
    path = studies.write_study(tmp_path, MODELS, n=12, groups=6, variants={"neutral": True})
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    with prepared(Study.load(path).part(part)) as ready:
        for model in ready.crossing.models:
            asked = Counter(each.question.id for each in ready.crossing.trials(model))
            assert asked.total() > 0
            assert {each.id: count for each, count in ready.crossing.counts(model)} == {
                each.id: asked[each.id] for each in ready.crossing.questions
            }


def test_the_parts_of_few_people_are_those_of_the_whole_though_some_ask_nobody(tmp_path: Path) -> None:
    study = studies.load(tmp_path, MODELS[1:], n=2, groups=2)

    def keys(study: Study) -> list[bytes]:
        with prepared(study) as ready:
            return [each.key for each in ready.crossing.trials(ready.crossing.models[0])]

    parts = [keys(study.part(f"{number}/7")) for number in range(1, 8)]
    assert sorted(key for part in parts for key in part) == sorted(keys(study))
