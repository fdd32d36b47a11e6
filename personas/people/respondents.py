"""Respondents: the harmonised table that every later step works on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from personas.errors import InputError, nearest
from personas.traits import NOT_ASKED, Persona, Trait, catalogue

# Upper edges of the age bands, as the WVS bands age (X003R): 15-24, 25-34, 35-44, 45-54, 55-64, 65 and over.
AGE_BANDS = ((24, "15-24"), (34, "25-34"), (44, "35-44"), (54, "45-54"), (64, "55-64"), (999, "65+"))
META = ("persona_id", "survey", "wave", "country", "weight")
OPTIONAL = ("region", "split")
SYNTHETIC = "synthetic_"  # begins the name of a survey whose people somebody made up, so that every row says so
PLAIN = ("country", "survey", "wave", *OPTIONAL)
MISSING_LABEL = "missing"


@dataclass(frozen=True)
class Source:
    """A survey that respondents come from: its terms, and the variable, recoding and proxy note of each trait."""

    survey: str
    title: str
    restricted: bool
    licence: str
    citation: str
    weighted: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    recodes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    proxies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Respondents:
    """One row a respondent: the columns of `META`, then an int16 code per trait (negative: why it is missing).

    Columns of `OPTIONAL` may stand between them. `sources` holds the surveys by name.
    """

    frame: pd.DataFrame
    traits: dict[str, Trait]
    sources: dict[str, Source] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    def attribute(self, name: str) -> pd.Series:
        """The values by which respondents are grouped, as strings.

        `name` is a trait (its labels), or `country`, `survey`, `wave`, `region`, `split` or `age_band`.

        Raises InputError for a name that no respondent has.
        """
        if name == "age_band" and "age" in self.frame:
            return self._age_band()
        if name in PLAIN and name in self.frame:
            return self.frame[name].astype(str).replace("", MISSING_LABEL)
        if name not in self.traits or name not in self.frame:
            known = {*(self.traits.keys() & set(self.frame)), *(set(PLAIN) & set(self.frame)), "age_band"}
            raise InputError(f"unknown trait {name!r}; {nearest(name, known)}")
        trait = self.traits[name]
        codes = self.frame[name]
        labels = {code: trait.label(code) for code in codes.unique() if code >= 0}
        return codes.map(labels).fillna(MISSING_LABEL).astype(str)

    def where(self, wanted: Mapping[str, Sequence[str]]) -> "Respondents":
        """Those who have one of the wanted values of every attribute, such as {"country": ["USA", "DEU"]}.

        Raises InputError for an attribute or value that nobody has, and where nobody is left.
        """
        kept = np.ones(len(self), dtype=bool)
        for name, values in wanted.items():
            own = self.attribute(name)
            known = set(own.unique())
            for value in values:
                if value not in known:
                    raise InputError(f"where: no respondent has {name} = {value!r}; {nearest(value, known)}")
            kept &= own.isin(values).to_numpy()
        if not kept.any():
            asked = "; ".join(f"{name}: {', '.join(values)}" for name, values in wanted.items())
            raise InputError(f"where: nobody has all of {asked}; ask for less")
        return self.take(np.flatnonzero(kept))

    def _age_band(self) -> pd.Series:
        edges = np.array([edge for edge, _ in AGE_BANDS])
        names = np.array([name for _, name in AGE_BANDS], dtype=object)
        age = self.frame["age"].to_numpy()
        bands = np.where(age >= 0, names[np.searchsorted(edges, np.maximum(age, 0))], MISSING_LABEL)
        return pd.Series(bands, index=self.frame.index, dtype=str)

    def columns(self) -> list[str]:
        """The traits that have a column, in the catalogue's order."""
        return [name for name in self.traits if name in self.frame and name not in META]

    def take(self, rows: Iterable[int]) -> "Respondents":
        """The respondents at these positions, in this order."""
        return replace(self, frame=self.frame.iloc[list(rows)].reset_index(drop=True))

    def personas(self) -> Iterator[Persona]:
        """Each respondent as a Persona."""
        names = self.columns()
        codes = self.frame[names].to_numpy() if names else np.empty((len(self), 0), dtype=np.int16)
        for meta, row in zip(self.frame[list(META)].itertuples(index=False), codes, strict=True):
            answers = {names[at]: int(row[at]) for at in np.flatnonzero(row >= 0)}
            yield Persona(meta.persona_id, meta.survey, meta.wave, meta.country, float(meta.weight), answers)

    def restricted(self) -> list[Source]:
        """The surveys here whose rows may not be passed on without leave."""
        present = set(self.frame["survey"].unique())
        return [source for name, source in self.sources.items() if source.restricted and name in present]


def combine(parts: Iterable[Respondents]) -> Respondents:
    """All respondents of several surveys; a trait that a survey does not have counts as not asked there.

    Raises InputError where a respondent id occurs twice.
    """
    tables = list(parts)
    traits = in_order({name: trait for table in tables for name, trait in table.traits.items()})
    named = {name for table in tables for name in table.columns()}
    names = [name for name in traits if name in named]
    start = [0, *np.cumsum([len(table) for table in tables])]
    codes = np.full((len(names), start[-1]), NOT_ASKED, dtype=np.int16)
    for table, first, last in zip(tables, start, start[1:], strict=False):
        for row, name in enumerate(names):
            if name in table.frame:
                codes[row, first:last] = table.frame[name].to_numpy()
    optional = [name for name in OPTIONAL if any(name in table.frame for table in tables)]
    heads = [table.frame.reindex(columns=[*META, *optional]) for table in tables]
    head = pd.concat(heads, ignore_index=True).fillna(dict.fromkeys(optional, ""))
    refuse_repeated(head["persona_id"])
    frame = pd.concat([head, pd.DataFrame(codes.T, columns=names, copy=False)], axis=1)
    return Respondents(frame, traits, {name: each for table in tables for name, each in table.sources.items()})


def in_order(traits: Mapping[str, Trait]) -> dict[str, Trait]:
    """Core traits in the catalogue's order, then the extended ones in their own."""
    return {name: traits[name] for name in [*catalogue().traits, *traits] if name in traits}


def refuse_repeated(ids: pd.Series) -> None:
    """Raises InputError where an id occurs more than once."""
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise InputError(
            f"respondent id {repeated.iloc[0]!r} occurs more than once ({len(repeated)} such rows): "
            "name each file once, or fix the ids"
        )
