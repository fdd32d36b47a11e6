"""Study: what a mtpa.toml says; every error names the file, the key and the remedy."""

import glob
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from personas.bounded import parse_toml, read_text
from personas.errors import InputError, nearest
from runner.study.sections import (
    BenchmarkSection,
    BudgetSection,
    ModelSection,
    PersonaSection,
    ReportSection,
    Section,
    StudySection,
)
from runner.study.shard import WHOLE, Shard
from runner.study.tables.fidelity_section import FidelitySection
from runner.study.tables.robustness_sections import GateSection, RobustnessSection
from runner.study.tables.target_section import TargetSection
from runner.study.tables.variant_section import VariantSection
from runner.study.written.toml_writer import toml_text


class Study(Section):
    """A study file."""

    study: StudySection
    """What the study is called and where its results are."""
    personas: PersonaSection
    """Who answers."""
    variants: VariantSection = VariantSection()
    """How a persona is written; the lists are crossed."""
    fidelity: FidelitySection | None = None
    """The survey's own questions, whose answers are compared with the respondents'."""
    benchmarks: tuple[BenchmarkSection, ...] = Field((), validate_default=True)
    """What is asked; one table for each benchmark or part. A study with `[fidelity]` may do without."""
    models: tuple[ModelSection, ...] = Field(min_length=1)
    """Who is asked; one table for each model."""
    budget: BudgetSection = BudgetSection()
    """What may be spent."""
    target: TargetSection | None = None
    """Ask no more than the wanted precision needs."""
    robustness: RobustnessSection = RobustnessSection()
    """What is said of Δ beside its mean."""
    gate: GateSection | None = None
    """What `mtpa-run gate` holds a model to."""
    report: ReportSection = ReportSection()
    """How the report breaks results down."""
    path: Path = Path("mtpa.toml")
    text: str = ""
    shard: Shard = WHOLE

    @field_validator("benchmarks")
    @classmethod
    def _asks_something(
        cls, benchmarks: tuple[BenchmarkSection, ...], info: ValidationInfo
    ) -> tuple[BenchmarkSection, ...]:
        if not benchmarks and info.data.get("fidelity", True) is None:
            raise PydanticCustomError("missing", "is missing")
        return benchmarks

    @field_validator("models")
    @classmethod
    def _distinct(cls, models: tuple[ModelSection, ...]) -> tuple[ModelSection, ...]:
        names = [model.name for model in models]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"two models are named {repeated[0]!r}: give each a name of its own")
        return models

    @field_validator("models")
    @classmethod
    def _one_cluster(cls, models: tuple[ModelSection, ...]) -> tuple[ModelSection, ...]:
        addresses = [model.ray.address or "none" for model in models if model.executor == "ray"]
        if len(set(addresses)) > 1:
            raise ValueError(f"a run has one Ray cluster: give every model the same ray address, not {addresses}")
        return models

    @model_validator(mode="after")
    def _has_judges(self) -> Self:
        names = {model.name for model in self.models}
        for section in self.benchmarks:
            if section.judge is not None and section.judge not in names:
                raise ValueError(f"benchmark {section.name!r}: no model is named {section.judge!r} to be its judge")
        if batched := next((each for each in self.models if each.name in self.judges and each.mode != "live"), None):
            raise ValueError(f"model {batched.name!r} is a judge, and judges are asked live; leave mode out")
        if not self.asked_models:
            raise ValueError("every model is a judge: add a [[models]] to be asked")
        if self.target and (batched := next((each for each in self.models if each.mode != "live"), None)):
            raise ValueError(f"model {batched.name!r}: a [target] looks after every round; leave mode or [target] out")
        return self

    @model_validator(mode="after")
    def _has_covariates(self) -> Self:
        names = {model.name: model for model in self.asked_models}
        for model in self.models:
            other = names.get(model.covariate or "")
            if model.covariate is not None and (other is None or other is model):
                raise ValueError(
                    f"model {model.name!r}: covariate = {model.covariate!r} is no other model that is asked; name one "
                    "of the [[models]] that are"
                )
            if other and other.covariate is not None:
                raise ValueError(f"model {other.name!r} is a covariate, and is asked everything: leave its own out")
            if other and other.people is not None and other.people < (model.people or self.personas.n):
                raise ValueError(
                    f"model {other.name!r} is the covariate of {model.name!r}, and is asked about fewer people: leave "
                    "its people out"
                )
        return self

    @model_validator(mode="after")
    def _has_traits_once(self) -> Self:
        if self.variants.traits and "traits" in self.personas.model_fields_set:
            raise ValueError("[personas] traits and [variants] traits both say what is shown: leave one out")
        return self

    @model_validator(mode="after")
    def _shows_one_set(self) -> Self:
        if self.fidelity and len(self.trait_sets) > 1 and self.fidelity.show not in ("rest", "others"):
            raise ValueError("[fidelity] show and [variants] traits both say what is shown: leave one out")
        return self

    @model_validator(mode="after")
    def _has_twins_to_ask(self) -> Self:
        if self.fidelity and self.fidelity.twins and not self.personas.swap:
            raise ValueError("[fidelity] twins asks counterfactual twins, and there are none: set [personas] swap")
        return self

    @model_validator(mode="after")
    def _shows_at_random_or_sets(self) -> Self:
        show = self.personas.show
        if show == "all":
            return self
        if len(self.trait_sets) > 1:
            raise ValueError(f"[personas] show = {show!r} and several sets in [variants] traits: leave one out")
        if "name" in self.variants.cues:
            raise ValueError(f"[personas] show = {show!r} and cues 'name', which tells no traits: leave one out")
        if self.fidelity and self.fidelity.show in ("rest", "others"):
            raise ValueError(
                f"[personas] show = {show!r}, so [fidelity] show = {self.fidelity.show!r} would differ at random: set "
                "show = 'demographic', or a list of traits, in [fidelity]"
            )
        return self

    @model_validator(mode="after")
    def _contrasts_are_distinct(self) -> Self:
        if unknown := next((name for name in self.robustness.contrasts if name not in self.report.by), None):
            raise ValueError(f"[robustness] contrasts has {unknown!r}, which is not in [report] by: add it there too")
        return self

    @model_validator(mode="after")
    def _has_target_attribute(self) -> Self:
        attribute = self.target.by if self.target else None
        if attribute is not None and attribute not in self.report.attributes:
            raise ValueError(f"[target] by = {attribute!r} is not in [report] by: add it there, so that it is declared")
        if self.target is None or self.target.allocation != "neyman":
            return self
        if unknown := next((name for name in self.target.strata if name not in self.report.attributes), None):
            raise ValueError(f"[target] strata has {unknown!r}, which is not in [report] by: add it there too")
        if dealt := next((each for each in self.benchmarks if each.per_person is not None), None):
            raise ValueError(
                f'benchmark {dealt.name!r}: per_person deals item groups alike, and [target] allocation = "neyman" '
                "deals them by what varies; leave one of them out"
            )
        if covaried := next((each for each in self.models if each.covariate is not None), None):
            raise ValueError(
                f"model {covaried.name!r}: Δ with a covariate's answers rests on item groups dealt alike; leave "
                'covariate out, or [target] allocation = "neyman"'
            )
        return self

    def __repr__(self) -> str:
        counts = f"{len(self.benchmarks)} benchmarks, {len(self.asked_models)} models, n = {self.personas.n}"
        return f"Study({self.study.name!r}: {counts}, {str(self.database)!r})"

    @property
    def trait_sets(self) -> tuple[str | tuple[str, ...], ...]:
        """What is shown of a persona; several sets are compared."""
        return self.variants.traits or (self.personas.traits,)

    @property
    def judges(self) -> frozenset[str]:
        """The models that a benchmark names as its judge: they judge and are not asked themselves."""
        return frozenset(section.judge for section in self.benchmarks if section.judge is not None)

    @property
    def covariates(self) -> dict[str, str]:
        """The models that another one names as its covariate, each with the first that does."""
        return {name: model.name for model in reversed(self.models) if (name := model.covariate) is not None}

    @property
    def asked_models(self) -> tuple[ModelSection, ...]:
        """The models that the study is about."""
        return tuple(model for model in self.models if model.name not in self.judges)

    @classmethod
    def load(cls, path: str | Path = "mtpa.toml") -> "Study":
        """Read a study file.

        Raises
        ------
        InputError
            One sentence that names the file, the key and the remedy.
        """
        path = Path(path)
        try:
            return cls.parse(read_text(path), path)
        except FileNotFoundError:
            raise InputError(f"{path}: no such study file; name one with --study FILE") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any], path: str | Path = "mtpa.toml") -> "Study":
        """A study from the tables that its file would have.

        Parameters
        ----------
        tables : mapping
            {"study": {"name": …}, "personas": {…}, "benchmarks": [{…}], "models": [{…}]}.
        path : str or Path
            Where the file would be: relative paths start in its folder. No file is read or written.

        Raises
        ------
        InputError
            One sentence that names the key and the remedy.
        """
        path = Path(path)
        try:
            text = toml_text(tables)
        except TypeError as error:
            raise InputError(f"{path}: {error}") from None
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, path: Path) -> "Study":
        """A study from its text; `path` is where it stands, or stood. Raises InputError."""
        try:
            tables = parse_toml(text)
        except ValueError as error:
            raise InputError(f"{path}: not valid TOML: {error}") from None
        for reserved in NOT_IN_FILE:
            if reserved in tables:
                raise InputError(f"{path}, key {reserved!r}: unknown key; {nearest(reserved, _tables(cls))}")
        try:
            return cls.model_validate({**tables, "path": path, "text": text})
        except ValidationError as error:
            faults = [_sentence(detail) for detail in _distinct_faults(error.errors())]
            if len(faults) == 1:
                raise InputError(f"{path}, {faults[0]}") from None
            raise InputError("\n  ".join([f"{path}: {len(faults)} faults", *faults])) from None

    @property
    def database(self) -> Path:
        """The results file; a relative path starts at the study file. A shard has one of its own beside it."""
        whole, shard = self.whole_database, self.shard
        return whole if shard.whole else whole.with_name(f"{whole.stem}.{shard.number}-of-{shard.count}{whole.suffix}")

    @property
    def whole_database(self) -> Path:
        """The results file of the whole study, which its shards are merged into."""
        return self.path.parent / (self.study.database or f"results/{self.study.name}.sqlite")

    @property
    def other_files(self) -> list[Path]:
        """The files of the whole study and of its other shards that are there."""
        whole = self.whole_database
        shards = whole.parent.glob(f"{glob.escape(whole.stem)}.*-of-*{glob.escape(whole.suffix)}")
        return [path for path in (whole, *sorted(shards)) if path != self.database and path.exists()]

    def part(self, which: str) -> "Study":
        """A shard of the study, such as "2/8": a file of its own, and its share of every budget.

        So all shards together keep the cap. Raises InputError.
        """
        shard = Shard.parse(which)
        if shard.whole:
            return self
        if self.target is not None:
            raise InputError(
                f"{self.path}, key 'target': what is asked next depends on all that was found, so such a study cannot "
                "be run in parts; leave --shard or [target] out"
            )

        def share(usd: float | None) -> float | None:
            return None if usd is None else round(usd * 1e6) // shard.count / 1e6

        models = tuple(model.model_copy(update={"usd": share(model.usd)}) for model in self.models)
        budget = self.budget.model_copy(update={"usd": share(self.budget.usd)})
        return self.model_copy(update={"shard": shard, "models": models, "budget": budget})


NOT_IN_FILE = ("path", "text", "shard")


def _tables(section: type[BaseModel]) -> list[str]:
    return [name for name in section.model_fields if name not in NOT_IN_FILE]


MEMBERS = {"str": "a text", "tuple[str, ...]": "a list of texts"}  # what pydantic calls the members of a union


def _distinct_faults(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """Every fault once.

    A misspelled key is also missing, a value that may be of two kinds is wrong for both, and a list of tables none
    of which is right is not an empty one.
    """
    misspelled = {detail["loc"][:-1] for detail in details if detail["type"] == "extra_forbidden"}
    found: dict[tuple[int | str, ...], ErrorDetails] = {}
    for detail in details:
        hidden = detail["type"] == "missing" and detail["loc"][:-1] in misspelled
        if not hidden and not (detail["type"] == "too_short" and detail["input"]):
            found.setdefault(_written(detail["loc"]), detail)
    return list(found.values())


def _written(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """A location as far as it stands in the file."""
    return tuple(takewhile(lambda part: part not in MEMBERS, location))


def _sentence(detail: ErrorDetails) -> str:
    """One validation error as "key 'models.0.dtype': ..." with the nearest right key or the values allowed."""
    written = _written(detail["loc"])
    place = ".".join(str(part) for part in written)
    if detail["type"] == "extra_forbidden":
        known = _tables(_section_at(detail["loc"][:-1]))
        return f"key {place!r}: unknown key; {nearest(str(detail['loc'][-1]), known)}"
    if detail["type"] == "missing":
        return f"key {place!r} is missing"
    if len(written) < len(detail["loc"]):
        return f"key {place!r}: should be {' or '.join(MEMBERS.values())} (it holds {detail['input']!r:.60})"
    message = detail["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(detail["input"], dict) else f" (it is {detail['input']!r:.60})"
    return f"key {place!r}: {message[0].lower()}{message[1:]}{shown}"


def _section_at(location: Sequence[int | str]) -> type[BaseModel]:
    """The section that a path into the study leads to."""
    section: type[BaseModel] = Study
    for part in location:
        if isinstance(part, str) and (entry := section.model_fields.get(part)):
            annotation = entry.annotation
            candidates = [annotation, *getattr(annotation, "__args__", ())]
            section = next(
                (each for each in candidates if isinstance(each, type) and issubclass(each, BaseModel)), section
            )
    return section
