"""A whole benchmark in a package of its own; `pip install` makes it `name = "capitals"` in a study."""

import csv
from collections.abc import Iterator
from pathlib import Path

from scoring.answers.items import Item
from scoring.benchmarks.base import MultipleChoice


class Capitals(MultipleChoice):
    name = "capitals"
    version = "1"
    title = "Capitals"
    meta_columns = ("continent",)

    def load(self, directory: Path, part: str | None = None) -> Iterator[Item]:
        with Path(__file__).with_name("capitals.csv").open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                choices = (row["capital"], *row["others"].split(";"))
                right = tuple(float(number == 0) for number in range(len(choices)))
                names = (f"capitals/{row['country']}", self.name, self.version)
                question = f"What is the capital of {row['country']}?"
                yield Item(*names, question, choices, names[0], weights=right, scoring={"kind": "accuracy"}, meta=row)
