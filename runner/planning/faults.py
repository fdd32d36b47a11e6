"""Everything that keeps a study from being asked, found at once."""

from collections.abc import Callable, Iterator
from functools import partial

from personas.errors import InputError, MtpaError
from runner.backends.catalogue.prices import price_of
from runner.backends.keys import api_key
from runner.backends.local import local_identity
from runner.study.config import Study
from runner.study.sections import ModelSection
from runner.study.sources import load_benchmarks, load_everyone, load_fidelity, load_personas


def all_faults(study: Study, first: MtpaError) -> MtpaError:
    """The error that says all that is wrong with a study of which `first` was met; `first` itself where it is alone."""
    found = list(dict.fromkeys(_sentences(study)))
    if str(first) not in found:
        found.insert(0, str(first))
    if len(found) == 1:
        return first
    return InputError("\n  ".join([f"{study.path}: {len(found)} faults", *found]))


def missing_keys(study: Study) -> Iterator[str]:
    """A sentence for each model whose API key is not there or is none: a plan needs no key, a run does."""
    for section in study.models:
        if fault := _fault(partial(api_key, section)):
            yield fault


def _sentences(study: Study) -> Iterator[str]:
    checks = [*_of_personas(study), *_of_benchmarks(study), *map(_of_model, study.models)]
    yield from filter(None, map(_fault, checks))


def _fault(check: Callable[[], object]) -> str:
    """What a check raises, in words; "" where it raises nothing."""
    try:
        check()
    except MtpaError as error:
        return str(error)
    return ""


def _of_personas(study: Study) -> list[Callable[[], object]]:
    """Each source alone; the sample, which says again of a source what is wrong with it, only where all can be read."""
    section = study.personas
    each_alone = [section.model_copy(update={"sources": (each,), "where": {}}) for each in section.sources]
    checks = [partial(load_everyone, _with(study, personas=alone)) for alone in each_alone]
    return [*checks] if any(map(_fault, checks)) else [lambda: load_fidelity(study, load_personas(study))]


def _of_benchmarks(study: Study) -> list[Callable[[], object]]:
    return [partial(load_benchmarks, _with(study, benchmarks=(each,))) for each in study.benchmarks]


def _of_model(section: ModelSection) -> Callable[[], object]:
    """Its price is known, or its weights can be named."""
    return partial(local_identity, section, None) if section.is_local else partial(price_of, section)


def _with(study: Study, **changes: object) -> Study:
    return study.model_copy(update=changes)
