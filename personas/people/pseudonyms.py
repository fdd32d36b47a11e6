"""What stands for a respondent outside the survey: a hash of the id, which anyone who holds the survey can rebuild."""

import hashlib

MARK = "sha256:"
TWIN = "~"  # in the id of a persona who differs from a respondent in one trait: "respondent~trait=value"


def pseudonym(persona_id: str) -> str:
    """The text "sha256:" and 64 hexadecimal digits, then what a twin's id says of it; a pseudonym stays as it is."""
    respondent, mark, change = persona_id.partition(TWIN)
    if not respondent.startswith(MARK):
        respondent = MARK + hashlib.sha256(respondent.encode()).hexdigest()
    return respondent + mark + change


def short_pseudonym(persona_id: str) -> str:
    """The pseudonym with the first ten of its digits."""
    respondent, mark, change = pseudonym(persona_id).removeprefix(MARK).partition(TWIN)
    return respondent[:10] + mark + change
