"""Representation coherence of a study: its persona texts embedded by one of its models, against their traits."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.errors import InputError, nearest
from personas.people.pseudonyms import TWIN
from personas.people.respondents import Respondents
from personas.prompt.render import render
from personas.prompt.trait_sets import set_name
from runner.backends.embeddings import embed
from runner.crossing.prepare import Prepared, identity_of, prepared
from runner.engine.acknowledgement import require_acknowledgement
from runner.study.config import Study
from runner.study.sections import ModelSection
from scoring.statistics.levels import ALL
from scoring.statistics.mantel import Matrix, coherence_table, group_coherence
from scoring.statistics.pairs import CONTROL


async def study_coherence(study: Study, model: str | None, most: int, acknowledge: bool) -> pd.DataFrame:
    """`coherence_table` of each way that the study writes personas, for its first `most` respondents.

    A study with [fidelity] has two kinds of rows more, of texts that say nothing about what is asked: whether people
    who answer it alike are embedded alike, and whether groups are (`group_coherence`), by each attribute of its report.
        `model` is the name of one in the study, the only one where absent. Twins and the neutral control are left out.
    Raises InputError or MachineError.
    """
    section = _section(study, model)
    with prepared(study) as ready:
        require_acknowledgement(ready.cache.connection, ready.crossing.respondents, [section], acknowledge)
        return await _coherence(ready, section, most)


def _section(study: Study, name: str | None) -> ModelSection:
    known = {section.name: section for section in study.models}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name not in known:
        remedy = nearest(name, known) if name else f"known: {', '.join(known)}"
        raise InputError(f"{study.path}: name the model that embeds the personas, --model NAME; {remedy}")
    return known[name]


async def _coherence(ready: Prepared, section: ModelSection, most: int) -> pd.DataFrame:
    crossing = ready.crossing
    rows = [place for place, (_, persona) in enumerate(crossing.personas) if TWIN not in persona.persona_id]
    people = crossing.respondents.take(rows[:most])
    written = crossing.profiles.ways if crossing.profiles else crossing.variants
    told = [each for each in written if each.variant.format != CONTROL]
    asked, hiding = _asked(ready)
    ways = [*told, *(each._replace(shown=hiding(each.shown)) for each in told if asked)]
    texts = [[render(each, people.traits, way.shown, way.variant) for each in people.personas()] for way in ways]
    distinct = list(dict.fromkeys(text for own in texts for text in own))
    vectors = await embed(section, identity_of(section, ready.cache.connection, ready.study.whole_database), distinct)
    of_text = dict(zip(distinct, vectors, strict=True))
    tables = []
    seed, surveys = ready.study.study.seed, list(people.frame["survey"])
    for number, (way, own) in enumerate(zip(ways, texts, strict=True)):
        embedded = np.array([of_text[text] for text in own], dtype=float)
        head = {"model": section.name, "format": way.variant.format, "frame": way.variant.frame}
        head["shown"] = set_name(way.shown)
        compared = way.shown if number < len(told) else asked
        table = coherence_table(embedded, *_codes(people, compared), surveys, seed)
        table = table.assign(compared="traits shown" if number < len(told) else "answers asked")
        if number >= len(told):
            groups = pd.DataFrame(_groups(embedded, people, asked, ready.study.report.by, seed))
            table = pd.concat([table, groups], ignore_index=True)
        tables.append(table.assign(**head)[[*head, "compared", *table.columns.drop("compared")]])
    return pd.concat(tables, ignore_index=True).drop_duplicates(ignore_index=True)


def _asked(ready: Prepared) -> tuple[list[str], Callable[[Sequence[str]], list[str]]]:
    """The traits that [fidelity] asks, and which of the traits shown stand beside none of these questions' answers."""
    items = [each.item for each in ready.crossing.questions if each.people is not None and each.item.target_trait]
    names = [str(item.target_trait) for item in items]

    def hiding(shown: Sequence[str]) -> list[str]:
        return [name for name in (items[0].visible(shown) if items else shown) if name not in names]

    return names, hiding


def _groups(
    embedded: Matrix, people: Respondents, asked: Sequence[str], attributes: Sequence[str], seed: int
) -> Iterator[dict[str, object]]:
    """A row an attribute: are its levels that answer alike embedded alike?"""
    codes, _ = _codes(people, asked)
    for name in attributes:
        groups, count, found = group_coherence(embedded, codes, list(people.attribute(name)), seed)
        of = f"answers asked, {groups} levels of {name}"
        yield {"survey": ALL, "personas": count, "traits": len(asked), **found._asdict(), "compared": of}


def _codes(people: Respondents, shown: Sequence[str]) -> tuple[Matrix, NDArray[np.bool_]]:
    """Persona × trait codes (NaN: not answered), and which traits are ordinal; a country counts as one where shown."""
    names = [name for name in shown if name in people.columns()]
    codes = people.frame[names].astype(float)
    codes = codes.where(codes >= 0)
    ordinal = [people.traits[name].ordinal for name in names]
    if "country" in shown and "country" not in names:
        codes["country"] = pd.factorize(people.frame["country"])[0].astype(float)
        ordinal.append(False)
    return codes.to_numpy(), np.array(ordinal, dtype=bool)
