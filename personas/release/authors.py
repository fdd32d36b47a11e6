"""mpta.json, as the paper's authors released it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from personas.bounded import WHOLE, parse_json, read_text
from personas.countries import parse_country
from personas.errors import InputError
from personas.people.respondents import Respondents
from personas.release.assemble import AUTHORS, HIGHEST, respondents_of
from personas.surveys.survey import load_survey
from personas.traits import NO_ANSWER, Trait, catalogue


def read_authors(path: Path) -> Respondents:
    """mpta.json: a list of {"id", "data": [{"question_id", "answer_value"}]}, questions and codes those of WVS-7.

    An answer is a code or its label. A question that neither the catalogue nor WVS-7 has becomes an extended trait.
    """
    try:
        records = parse_json(read_text(path, WHOLE))
        if not isinstance(records, list):
            raise ValueError("not a list")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} is not the authors' mpta.json ({error})") from None
    survey = load_survey("wvs7")
    names = {each.lower(): name for name, (_, source) in survey.defined().items() for each in source.variables}
    names |= {name: name for name in catalogue().traits}
    traits = {name: catalogue().traits[name] for name in ("country", "age", "gender")}
    heads, answers = [], []
    for number, record in enumerate(records, 1):
        try:
            head = {"persona_id": f"{AUTHORS}::{record['id']}", "survey": AUTHORS, "wave": "", "country": ""}
            given: dict[str, int] = {}
            for each in record["data"]:
                _authors_answer(str(each["question_id"]), each["answer_value"], names, traits, head, given)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"{path}, persona {number}: {type(error).__name__}: {error}") from None
        heads.append({**head, "weight": 1.0, "region": "", "split": ""})
        answers.append(given)
    return respondents_of(path, heads, answers, traits)


def _authors_answer(
    question: str,
    value: Any,
    names: Mapping[str, str],
    traits: dict[str, Trait],
    head: dict[str, str],
    given: dict[str, int],
) -> None:
    """Puts one answer where it belongs; one that is missing, or says nothing on the scale, is left out."""
    if question.lower() in ("b_country_alpha", "b_country", "country"):
        head["country"] = parse_country(str(value)) or ""
        return
    name = names.get(question.lower(), f"{AUTHORS}:{question}")
    if name not in traits:
        known = catalogue().traits.get(name)
        traits[name] = known or Trait(name, question, "social_values", "extended", "", scale=(0, HIGHEST))
    trait = traits[name]
    if isinstance(value, str) and not value.lstrip("-").isdecimal():
        labels = {label.lower(): code for code, label in trait.labels.items()}
        code = labels.get(value.strip().lower(), NO_ANSWER)
    else:
        code = int(value)
    if code >= 0 and trait.holds(code):
        given[name] = code
