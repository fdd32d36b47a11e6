"""Random profiles: a person is told about in several texts, each with a random part of the traits."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from personas.errors import InputError
from personas.people.pseudonyms import TWIN, pseudonym
from personas.stable_order import rank

RANDOM = re.compile(r"random:([1-9]\d{0,2})")


@dataclass(frozen=True)
class RandomProfiles:
    """Which traits each of `count` profiles of a person tells, and which profile stands beside which item group.

    Every trait is told in as many of a person's profiles as every other (± 1), so that a profile tells `told` of them
    on average; in which ones is drawn for each trait by itself, hence independent of the others: were there exactly
    `told` in every profile, telling one trait would mean leaving out another, and a trait without an effect would seem
    to have the opposite of the others'. All draws are by sha256 of the seed and the person's pseudonym: the same on
    every machine, whoever else is asked, and in a file without ids. A twin has its respondent's profiles.
    """

    traits: tuple[str, ...]
    told: int
    count: int
    seed: int

    @property
    def name(self) -> str:
        """What a report calls what is shown."""
        return f"{self.told} of {len(self.traits)} traits at random"

    def of(self, persona_id: str) -> list[list[str]]:
        """The traits of each profile, in the usual order."""
        person = _respondent(persona_id)
        each, more = divmod(self.told * self.count, len(self.traits))
        often = set(sorted(self.traits, key=lambda name: rank(f"{self.seed}\x1f{person}", name))[:more])
        found: list[list[str]] = [[] for _ in range(self.count)]
        for name in self.traits:
            order = _order(f"{self.seed}\x1f{person}\x1f{name}", self.count)
            for place in order[: each + (name in often)]:
                found[place].append(name)
        return found

    def beside(self, persona_id: str, place: int) -> int:
        """Which profile stands beside the item group at this place among its benchmark's.

        Of every `count` groups that follow each other, one stands beside each profile.
        """
        chunk, within = divmod(place, self.count)
        return _order(f"{self.seed}\x1f{_respondent(persona_id)}\x1f{chunk}", self.count)[within]


def random_told(show: str, traits: Sequence[str]) -> int | None:
    """K of `random:K`; None for `all`. Raises InputError where there are not more traits than that."""
    if (match := RANDOM.fullmatch(show)) is None:
        return None
    told = int(match[1])
    if told >= len(traits):
        raise InputError(
            f"[personas] show = {show!r}, but {len(traits)} traits are chosen: tell fewer, or choose more with traits"
        )
    return told


@lru_cache(maxsize=65536)
def _respondent(persona_id: str) -> str:
    return pseudonym(persona_id.partition(TWIN)[0])


@lru_cache(maxsize=65536)
def _order(seed: str, count: int) -> tuple[int, ...]:
    """A permutation of range(count)."""
    return tuple(sorted(range(count), key=lambda number: hashlib.sha256(f"{seed}\x1f{number}".encode()).digest()))
