"""The TOML that describes a benchmark: its files, where its fields come from, and how an answer is valued."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from personas import bounded
from personas.errors import InputError, nearest
from scoring.answers.items import Ask
from scoring.benchmarks.files import transforms
from scoring.benchmarks.meta_names import check_meta_names

Kind = Literal["accuracy", "prob_mass", "distribution", "pair_preference", "rubric"]
ITEM_FIELDS = ("id", "context", "question", "choices", "answer", "shares", "ordinals", "roles", "group", "reference")
NEEDED: Mapping[Kind, frozenset[str]] = {
    "accuracy": frozenset({"question", "choices", "answer"}),
    "prob_mass": frozenset({"question", "choices", "answer"}),
    "distribution": frozenset({"question", "choices", "shares"}),
    "pair_preference": frozenset({"choices", "roles"}),
    "rubric": frozenset({"question"}),
}


def _known_transform(transform: Any) -> Any:
    transforms.check(transform)
    return transform


Transform = Annotated[Any, AfterValidator(_known_transform)]


class Strict(BaseModel):
    """A table of the file: a key that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HubFile(Strict):
    """A data file, beside the TOML or at a pinned URL; `sha256` is of its bytes, or of its LF-normalised bytes."""

    path: str
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    url: str | None = Field(default=None, pattern=r"^https://")
    split: str | None = None
    columns: tuple[str, ...] = ()
    """The names of a CSV's columns, where its first line is a record already."""
    by_hand: str = ""
    """Where a person gets the file, which nobody may pass on or which has no pinned address."""

    @model_validator(mode="after")
    def _pinned(self) -> "HubFile":
        if Path(self.path).is_absolute() or ".." in Path(self.path).parts:
            raise ValueError(f"the path {self.path!r} leaves the folder of the file; give one below it")
        if self.url and not self.sha256:
            raise ValueError("a file with a url needs its sha256")
        return self


class Column(Strict):
    """Where a field comes from: a column, several, a constant, or a sandboxed Jinja template; then transforms.

    Several columns make a list, its empty end left off.
    """

    column: str | None = None
    columns: tuple[str, ...] | None = None
    value: Any = None
    template: str | None = None
    transforms: tuple[Transform, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short(cls, data: Any) -> Any:
        return {"column": data} if isinstance(data, str) else {"columns": data} if isinstance(data, list) else data

    @model_validator(mode="after")
    def _one(self) -> "Column":
        if sum(each is not None for each in (self.column, self.columns, self.value, self.template)) != 1:
            raise ValueError("give one of column, columns, value and template")
        if self.column == "" or self.columns == ():
            raise ValueError("names no column yet; say which of the file's it is")
        return self


class Scoring(Strict):
    """How an answer is valued: a kind of `scoring.answers.metrics`, or `rubric`, where a judge grades by `levels`."""

    kind: Kind = "accuracy"
    distance: Literal["js", "w1"] = "js"
    levels: tuple[str, ...] = ()
    instruction: str = "Grade the answer by the rubric below."


class Description(Strict):
    """The whole file."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    version: str
    licence: str
    title: str = ""
    citation: str = ""
    source: str = ""
    about: dict[Ask, str] = Field(default_factory=dict)
    """What each part is, in a line."""
    items: int | None = Field(default=None, gt=0)
    """How many records the files hold; another number refuses them."""
    metric: str = "accuracy"
    better: Literal["higher", "lower", "half"] = "higher"
    files: tuple[HubFile, ...] = Field(min_length=1)
    split: str | None = None
    lm_eval: str | None = None
    asks: tuple[Ask, ...] = ("letter",)
    shuffle: bool = True
    alone: bool = False
    """With `loglik`, each option is scored by itself, as a sentence of a pair is: neither question nor context."""
    delimiter: str | None = None
    """What stands before an option whose log-likelihood is scored; a blank, or nothing where nothing is asked."""
    refusals: tuple[str, ...] = ()
    explode: Column | None = None
    fields: dict[str, Column] = Field(default_factory=dict)
    meta: dict[str, Column] = Field(default_factory=dict)
    scoring: Scoring = Scoring()

    @model_validator(mode="after")
    def _whole(self) -> "Description":
        for name in self.fields:
            if name not in ITEM_FIELDS:
                raise ValueError(f"[fields] has the unknown field {name!r}; {nearest(name, ITEM_FIELDS)}")
        check_meta_names(self.meta)
        if (self.alone or self.delimiter is not None) and "loglik" not in self.asks:
            raise ValueError('alone and delimiter are for log-likelihoods; add "loglik" to asks, or leave them out')
        kind = self.scoring.kind
        needed = NEEDED[kind] | ({"ordinals"} if kind == "distribution" and self.scoring.distance == "w1" else set())
        if kind == "pair_preference" and "letter" in self.asks:
            needed = needed | {"question"}  # sentences that are scored alone need none
        if self.lm_eval is None and (absent := needed - self.fields.keys()):
            raise ValueError(f"[fields] lacks {', '.join(sorted(absent))}, which scoring by {kind} needs")
        if self.lm_eval is not None and (self.fields or self.explode or kind != "accuracy"):
            raise ValueError(
                "an lm_eval task brings its own fields and scoring; leave out [fields], explode and [scoring]"
            )
        if {kind == "rubric", self.asks == ("text",), len(self.scoring.levels) > 1} not in ({True}, {False}):
            raise ValueError('asks = ["text"], kind = "rubric" and two or more levels go together')
        return self


def read_description(path: Path) -> Description:
    """The description in a TOML file. Raises InputError naming the file and the key."""
    with bounded.readable(path, "TOML", "fix it, or name another benchmark file"):
        tables = bounded.parse_toml(bounded.read_text(path))
    try:
        return Description.model_validate(tables)
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error)}") from None


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown key {key!r}; {nearest(str(first['loc'][-1]), _keys(len(first['loc'])))}"
    if first["type"] == "missing":
        return f"the key {key!r} is missing; add it"
    return f"{key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}"


def _keys(depth: int) -> list[str]:
    inner = [*HubFile.model_fields, *Column.model_fields, *Scoring.model_fields]
    return list(Description.model_fields) if depth == 1 else inner
