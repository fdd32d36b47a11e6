"""Item, and how an item becomes a question with lettered options."""

import math
import string
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Literal

from personas.stable_order import rank

Ask = Literal["letter", "loglik", "text"]
Elicitation = Literal["letter", "text", "json", "probability", "reasoning"]
LETTERS = string.ascii_uppercase
INSTRUCTION = "Respond with a single letter (A, B, C, ...) only."
INSTRUCTIONS: Mapping[Elicitation, str] = {
    "letter": INSTRUCTION,
    "text": "Respond with the text of one of these options only, word for word.",
    "json": (
        'Respond with a JSON object only, of the form {"answer": "X"}, where X is the letter (A, B, C, ...) of one '
        "option."
    ),
    "probability": (
        "How likely is each option to be your answer? Respond with one line for each option and nothing else, of the "
        'form "X: N %", where X is the letter (A, B, C, ...) of the option and N its probability. The percentages sum '
        "to 100."
    ),
    "reasoning": (
        "Reason step by step first. Then write the letter (A, B, C, ...) of your answer alone on the last line."
    ),
}
ROLES = frozenset({"unknown", "biased", "antibiased", "stereo", "antistereo", "refusal"})


@dataclass(frozen=True, slots=True)
class Item:
    """One benchmark question in the schema that all benchmarks share.

    `weights` gives each option's worth: one-hot means accuracy, a distribution what a population answers, None a
    preference that `roles` tell apart. `ordinals` place the options of a scale on [0, 1]. `group` names the items that
    are resampled together; `shuffle` is false where the options are a scale. `listed` says that the question lists its
    own lettered options. `delimiter` stands between the question and a continuation (ask = "loglik"). `target_trait`
    names the trait that is hidden from the persona's text. `elicitation` is how the answer to a question with options
    is asked for, `room` how many tokens it may take where that is the study's to say. Raises ValueError, in a clause,
    where the record cannot be right.
    """

    id: str
    benchmark: str
    version: str
    question: str
    choices: tuple[str, ...]
    group: str
    context: str | None = None
    weights: tuple[float, ...] | None = None
    roles: tuple[str | None, ...] | None = None
    ordinals: tuple[float, ...] | None = None
    shuffle: bool = True
    scoring: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
    ask: Ask = "letter"
    part: str = ""
    target_trait: str | None = None
    listed: bool = False
    delimiter: str = " "
    elicitation: Elicitation = "letter"
    room: int | None = None

    @property
    def can_be_elicited(self) -> bool:
        """Whether its answer can be asked for in another form than a letter.

        It can if it has options and is not about an answer of the respondent's own, which has tables of its own.
        """
        return self.ask == "letter" and self.target_trait is None

    @property
    def baseline_only(self) -> bool:
        """Whether it is about a whole population, so that it is asked once and not of personas."""
        return self.scoring.get("kind") == "shares"

    @property
    def shown_key(self) -> Hashable:
        """What decides which traits stand beside the question: the same for items of which `visible` says the same."""
        told = bool(self.meta.get("told"))
        return self.target_trait, tuple(self.meta.get("hidden", ())), tuple(self.meta.get("shown") or ("",)), told

    def visible(self, shown: Sequence[str]) -> list[str]:
        """The traits shown of the persona that answers it.

        Those of a variant, or those that it names itself, less what it hides: its own answer, unless `meta["told"]`,
        and `meta["hidden"]`.
        """
        hidden = {None if self.meta.get("told") else self.target_trait, *self.meta.get("hidden", ())}
        return [name for name in self.meta.get("shown") or shown if name not in hidden]

    def __post_init__(self) -> None:
        if self.ask == "loglik" and len(self.choices) < 2:
            raise ValueError(f"has {len(self.choices)} options; expected 2 or more")
        if self.ask == "letter" and not 2 <= len(self.choices) <= len(LETTERS):
            raise ValueError(f"has {len(self.choices)} options; expected 2 to {len(LETTERS)}")
        for name in ("weights", "roles", "ordinals"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.choices):
                raise ValueError(f"has {len(self.choices)} options, but {len(values)} {name}")
        for role in self.roles or ():
            if role is not None and role not in ROLES:
                raise ValueError(f"has the unknown role {role!r}")
        if any(not math.isfinite(weight) or weight < 0 for weight in self.weights or ()):
            raise ValueError("has a weight that is negative or not a number")
        if self.listed and self.shuffle and self.ask == "letter":
            raise ValueError("lists its own options, which cannot be shuffled")
        if self.elicitation not in INSTRUCTIONS or (self.elicitation != "letter" and not self.can_be_elicited):
            raise ValueError(f"cannot be asked for its answer as {self.elicitation!r}")


def asked_as(ask: str, elicitation: Elicitation) -> str:
    """How an answer was asked for, in a word: an elicitation only where there is a choice of them."""
    return {"letter": str(elicitation), "loglik": "log-likelihood", "text": "free text"}[ask]


def option_order(item: Item, rotation: int = 0) -> tuple[int, ...]:
    """Which option stands behind each letter: entry k is the option number shown as the k-th letter.

    The base order sorts option numbers by sha256(item id, 0x1f, number); rotation r shifts it cyclically by r, so that
    n rotations show every option once in every place. It depends on the item alone, so that the baseline and every
    persona see the same one.
    """
    numbers = range(len(item.choices))
    if not item.shuffle or item.ask != "letter":
        return tuple(numbers)
    base = sorted(numbers, key=partial(rank, item.id))
    shift = rotation % len(base)
    return tuple(base[shift:] + base[:shift])


def rotations(item: Item, wanted: int) -> int:
    """How many different rotations of the item there are, at most `wanted`."""
    return min(wanted, len(item.choices)) if item.shuffle and item.ask == "letter" else 1


def question_text(item: Item, order: tuple[int, ...]) -> str:
    """The question as it is sent, with its options lettered in this order (the paper's Figure 2, below [PROMPT]).

    Where the option's text is asked for, they have no letters.
    """
    lines = [text for text in (item.context, item.question) if text]
    if item.ask == "letter":
        if not item.listed:
            marks = ["-"] * len(order) if item.elicitation == "text" else [f"{letter}." for letter in LETTERS]
            lines += [f"{mark} {item.choices[option]}" for mark, option in zip(marks, order, strict=False)]
        lines.append(INSTRUCTIONS[item.elicitation])
    return "\n".join(lines)


def elicitation_of(text: str) -> Elicitation:
    """How a question asks for its answer, by its last words; "letter" where they are another's."""
    return next((name for name, said in INSTRUCTIONS.items() if text.endswith(said)), "letter")


def item_record(item: Item) -> dict[str, Any]:
    """The item as it is kept; how its answer is asked for is left out where that is by a letter, as it always was."""
    record = {**asdict(item), "meta": dict(item.meta), "scoring": dict(item.scoring)}
    added = {"elicitation": "letter", "room": None}
    return {name: value for name, value in record.items() if name not in added or value != added[name]}


def continuations(item: Item) -> tuple[str, ...]:
    """What is appended to the question, one text a choice, where log-likelihoods are asked for."""
    return tuple(f"{item.delimiter}{choice}" for choice in item.choices)
