"""Representation coherence of a study: its persona texts embedded by one of its models, against their traits."""

from collections.abc import Sequence

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
from runner.study.sources import Say
from scoring.statistics.mantel import Matrix, coherence_table
from scoring.statistics.pairs import CONTROL


async def study_coherence(study: Study, model: str | None, most: int, say: Say, acknowledge: bool) -> pd.DataFrame:
    """`coherence_table` of each way that the study writes personas, for its first `most` respondents.

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
    ways = [each for each in crossing.variants if each.variant.format != CONTROL]
    texts = [[render(each, people.traits, way.shown, way.variant) for each in people.personas()] for way in ways]
    distinct = list(dict.fromkeys(text for own in texts for text in own))
    vectors = await embed(section, identity_of(section, ready.cache.connection), distinct)
    of_text = dict(zip(distinct, vectors, strict=True))
    tables = []
    for way, own in zip(ways, texts, strict=True):
        embedded = np.array([of_text[text] for text in own], dtype=float)
        table = coherence_table(
            embedded, *_codes(people, way.shown), list(people.frame["survey"]), ready.study.study.seed
        )
        head = {"model": section.name, "format": way.variant.format, "frame": way.variant.frame}
        head["shown"] = set_name(way.shown)
        tables.append(table.assign(**head)[[*head, *table.columns]])
    return pd.concat(tables, ignore_index=True).drop_duplicates(ignore_index=True)


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
