"""Shards: the n-th part of a study, so that several machines ask one study and merge what they have."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

from personas.errors import InputError


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of `count`, from 1.

    A trial's part is the hash of the text that its request begins with: the persona's, or the question's in the
    baseline. So the parts are disjoint and complete, whatever the order or size of the study; requests that are the
    same, such as those of respondents who read the same, are in one part and paid for once; and the requests that
    share a prefix stay together.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise InputError(f"--shard {self}: the parts are 1/{self.count} to {self.count}/{self.count}")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def whole(self) -> bool:
        """Whether it is all of the study."""
        return self.count == 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """A shard from "2/8". Raises InputError."""
        if not (found := re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)) or not int(found[2]):
            raise InputError(f"--shard {text}: expected which part and of how many, such as 2/8")
        return cls(int(found[1]), int(found[2]))

    def holds(self, prefix: str) -> bool:
        """Whether the requests that begin with this text are in the part."""
        return self.whole or _place(prefix) % self.count == self.number - 1


@lru_cache(maxsize=4096)
def _place(prefix: str) -> int:
    """A number that is spread evenly over texts; the same text is asked about once a question."""
    digest = hashlib.sha256(prefix.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


WHOLE = Shard()
