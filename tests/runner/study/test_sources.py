"""What a study's benchmarks leave open is decided by a default, and said; so is what has no effect."""

from pathlib import Path

import pytest
from studies import model, write_study

from personas.errors import InputError
from runner.study.config import Study
from runner.study.sources import load_benchmarks


def remarks(folder: Path, asked: str) -> tuple[str, ...]:
    path = write_study(folder, [model("https://api.example.org/v1")])
    head, tail = path.read_text().split("[[benchmarks]]")
    path.write_text(f"{head}[[benchmarks]]\n{asked}\n[[models]]{tail.split('[[models]]')[1]}")
    return load_benchmarks(Study.load(path))[0].remarks


def test_a_part_that_is_not_named_is_the_default_and_said(tmp_path: Path) -> None:
    assert remarks(tmp_path, 'name = "crows_pairs"') == (
        "crows_pairs: no part is named, so 'choice' is asked, which of two sentences is found more plausible, by "
        "letter (others: loglik)",
    )
    assert remarks(tmp_path, 'name = "crows_pairs"\npart = "choice"\nrotations = 2') == ()


def test_rotations_without_effect_are_said(tmp_path: Path) -> None:
    assert remarks(tmp_path, 'name = "crows_pairs"\npart = "loglik"\nrotations = 2') == (
        "crows_pairs:loglik: rotations = 2 changes nothing: options that are scored by log-likelihood have no order",
    )
    assert remarks(tmp_path, 'name = "crows_pairs"\npart = "choice"\nrotations = 3') == (
        "crows_pairs:choice: rotations = 3, but 1,508 of 1,508 items have fewer options, hence fewer orders",
    )


def test_an_ask_that_the_part_does_not_have_names_the_part(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'crows_pairs', part 'choice', has no items with ask = 'loglik'; choose"):
        remarks(tmp_path, 'name = "crows_pairs"\nask = "loglik"')
