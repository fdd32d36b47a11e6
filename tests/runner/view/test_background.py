"""What is computed for the page: seldom while a run goes, and once, at once, when it has ended."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from runner.view.background import Paced


class Counting:
    """A background that computes when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, Future[str]]] = []

    def ask(self, key: Any, function: Any, *arguments: Any) -> Future[str]:
        self.asked.append((key, Future()))
        return self.asked[-1][1]


def test_an_ended_run_is_computed_at_once_whatever_was_computed_before() -> None:
    background = Counting()
    paced = Paced(background, str, Path("x"))  # type: ignore[arg-type]
    assert paced.latest((1, 1, "")) is None
    background.asked[0][1].set_result("a quarter")
    assert paced.latest((2, 1, "")) == "a quarter" and len(background.asked) == 1  # not yet again: the run goes on
    assert paced.latest((4, 1, "ended"), is_last=True) == "a quarter" and len(background.asked) == 2
    background.asked[1][1].set_result("all")
    assert paced.latest((4, 1, "ended"), is_last=True) == "all"
    assert paced.latest((4, 1, "ended"), is_last=True) == "all" and len(background.asked) == 2
