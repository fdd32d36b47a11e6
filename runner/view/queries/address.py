"""What a page is about, as the query of its address has it."""

from dataclasses import asdict, dataclass, fields
from typing import Self
from urllib.parse import parse_qs, urlencode


@dataclass(frozen=True)
class Query:
    """Texts by name; "" is what an address leaves out."""

    @classmethod
    def parse(cls, search: str) -> Self:
        """From the query of an address; what is not known is left out."""
        given = parse_qs(search.removeprefix("?"))
        return cls(**{each.name: given[each.name][0] for each in fields(cls) if each.name in given})

    def search(self) -> str:
        """The query of the address that shows this."""
        kept = {name: value for name, value in asdict(self).items() if value}
        return f"?{urlencode(kept)}" if kept else ""
