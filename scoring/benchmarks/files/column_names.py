"""The names by which files of questions call their columns, in lower case without punctuation, the likeliest first."""

import re
from collections.abc import Sequence

QUESTIONS = tuple(
    "question prompt query stem problem instruction goal questiontext input scenario situation story ctx text "
    "sentence statement item".split()
)
CONTEXTS = tuple("context passage paragraph article background premise document support".split())
ANSWERS = tuple(
    "answer label gold target correct answerkey correctanswer correctoption correctchoice right rightanswer solution "
    "answeridx answerindex correctidx correctindex labelidx goldlabel goldindex gt groundtruth cop key".split()
)
LISTS = tuple("choices options endings candidates alternatives answers answerchoices multiplechoice references".split())
SHARES = tuple("shares distribution probabilities proportions selections humandistribution dh".split())
RUBRICS = tuple(
    "rubric rubrics criteria reference referenceanswer ideal idealanswer idealresponse gradingnotes stance expected "
    "expectedanswer goldanswer answer".split()
)
IDS = tuple("id idx index qid uid guid questionid exampleid itemid sampleid ind docid".split())
GROUPS = tuple("group groupid pairid pair quad quadid template templateid cluster".split())
PAIRS = (
    ("sentmore", "sentless"),
    ("stereotype", "antistereotype"),
    ("stereotyped", "antistereotyped"),
    ("stereotypical", "antistereotypical"),
    ("prostereotyped", "antistereotyped"),
    ("sentence1", "sentence2"),
    ("sentencea", "sentenceb"),
    ("sent1", "sent2"),
)
GOOD_BAD = (("sentencegood", "sentencebad"), ("good", "bad"), ("chosen", "rejected"))
_RIGHT = tuple("correctanswer bestanswer correct answer".split())
_WRONG = re.compile(r"(?:distractor|incorrectanswer|wronganswer|incorrect|wrong)s?\d*")
_NUMBERED = re.compile(r"(|option|choice|ans|answer|op|opt|ending|sol|alternative|candidate|response)([a-z]|\d)")
_RUNS = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "123456789")
_KNOWN = {*QUESTIONS, *CONTEXTS, *ANSWERS, *LISTS, *SHARES, *RUBRICS, *IDS, *GROUPS}
_KNOWN |= {name for pair in (*PAIRS, *GOOD_BAD) for name in pair}


def plain(name: str) -> str:
    """Lower case, letters and digits only."""
    return re.sub(r"[\W_]+", "", name).lower()


def known(name: str) -> bool:
    """Whether a text is a column's usual name."""
    return plain(name) in _KNOWN


def named(names: Sequence[str], wanted: Sequence[tuple[str, str]]) -> list[str] | None:
    """The first of the wanted pairs of columns that is there, as it is spelled there."""
    spelt = {plain(name): name for name in names}
    return next(([spelt[one], spelt[two]] for one, two in wanted if one in spelt and two in spelt), None)


def numbered(names: Sequence[str]) -> list[str]:
    """The longest run of columns that are options by name: A, B, C, D; option_1, option_2; ending0, ending1."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        if parts := _NUMBERED.fullmatch(plain(name)):
            found.setdefault(parts[1], {}).setdefault(parts[2], name)
    runs = []
    for suffixes in found.values():
        for order in _RUNS:
            length = next((at for at, sign in enumerate(order) if sign not in suffixes), len(order))
            runs.append([suffixes[sign] for sign in order[:length]])
    longest = max(runs, key=len, default=[])
    return longest if len(longest) > 1 else []


def distractors(names: Sequence[str]) -> tuple[str | None, list[str]]:
    """The column of the right option and those of the wrong ones, where each has its own."""
    spelt = {plain(name): name for name in names}
    right = next((spelt[name] for name in _RIGHT if name in spelt), None)
    return right, [name for name in names if _WRONG.fullmatch(plain(name))]
