"""The study as a task of Inspect: its trials, prompts byte for byte as mtpa sends them, scored as mtpa scores them.

    inspect eval mtpa/persona_trials -T study=mtpa.toml --model openai/gpt-4o-mini

Inspect finds it by the entry point `inspect_ai`. What is asked for a log-likelihood cannot be asked through Inspect and
is left out; what a judge must score is left unscored.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from inspect_ai import Epochs, Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, Value, mean, metric, scorer
from inspect_ai.solver import TaskState, generate

import mtpa
from personas.errors import InputError
from runner.crossing.prepare import prepared
from runner.sharing.prompted_trials import PromptedTrial, prompted_trials, refuse_restricted
from runner.study.config import Study
from runner.study.sections import ModelSection
from scoring.answers.responses import Response
from scoring.benchmarks.base import JudgeQuestion

FINISHES = {"stop": "stop", "max_tokens": "length", "model_length": "length", "content_filter": "content_filter"}
# Inspect's names for what a study's decoding may say
_DECODING = {
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "stop": "stop_seqs",
    "stop_sequences": "stop_seqs",
}
_SAME = ("temperature", "top_p", "top_k", "max_tokens", "seed", "frequency_penalty", "presence_penalty")
_TERMS = "If they allow it, say so with -T acknowledge=true"

Registered = TypeVar("Registered", bound=Callable[..., Any])


def _ours(function: Registered) -> Registered:
    """Inspect calls what it registers after the package of its module, and this one is installed as mtpa."""
    function.__module__ = mtpa.__name__
    return function


@task
@_ours
def persona_trials(
    study: str = "mtpa.toml", benchmark: str = "", acknowledge: bool = False, people: int | None = None
) -> Task:
    """Every trial of a study that is asked for a letter or a text, with personas and without.

    `study` is a study's file; `benchmark` keeps one of its benchmarks, as reports call it; `people` keeps the baseline
    and the first respondents. `acknowledge` says that the terms of restricted surveys allow their respondents' answers
    to be sent to the model. Decoding parameters are those of the study's first model, unless the command line says
    otherwise. Raises InputError.
    """
    trials = [each for each in _trials(study, acknowledge, people) if benchmark in ("", each.about["benchmark"])]
    if not trials:
        raise InputError(f"{study}: nothing of {benchmark or 'this study'} is asked for a letter or a text")
    section = Study.load(study).models[0]
    return Task(
        dataset=MemoryDataset([_sample(each) for each in trials], name=Path(study).stem),
        solver=generate(),
        scorer=persona_score(study, acknowledge),
        config=GenerateConfig(**_decoding(section)),
        epochs=Epochs(section.replicates),
    )


@metric
@_ours
def persona_effect() -> Metric:
    """Δ of each benchmark: each persona's score less the baseline's on the same item in the same order.

    It is averaged over rotations and repetitions, then over a persona's items, then over the personas; without the
    neutral control.
    """

    def of(scores: list[SampleScore]) -> Value:
        frame = pd.DataFrame([{**(each.sample_metadata or {}), "value": each.score.as_float()} for each in scores])
        if frame.empty:
            return math.nan
        return {str(name): _delta(rows[rows["value"].notna()]) for name, rows in frame.groupby("benchmark")}

    return of


def _delta(valid: pd.DataFrame) -> float:
    with_persona, without = (valid[valid["condition"] == each] for each in ("persona", "baseline"))
    if with_persona.empty or without.empty:
        return math.nan
    alone = without.groupby(["item", "rotation"])["value"].mean().rename("without")
    pairs = with_persona.join(alone, on=["item", "rotation"]).dropna(subset="without")
    items = (pairs["value"] - pairs["without"]).groupby([pairs["respondent"], pairs["wording"], pairs["item"]]).mean()
    people = items.groupby(["respondent", "item"]).mean().groupby("respondent").mean()
    return float(people.mean())


@scorer(metrics=[mean(), persona_effect()])
@_ours
def persona_score(study: str = "mtpa.toml", acknowledge: bool = False) -> Scorer:
    """The value of the benchmark that a sample is of; unscored where a judge or a probability would be needed."""

    async def score(state: TaskState, target: Target) -> Score:
        trial = _by_id(study, acknowledge)[str(state.sample_id)]
        question, text = trial.asked.question, state.output.completion
        finish = FINISHES.get(str(state.output.stop_reason), "")
        found = question.benchmark.score(
            question.item, trial.asked.order, Response(text, finish=finish), trial.asked.persona
        )
        if isinstance(found, JudgeQuestion):
            return Score.unscored(answer=text, reason="needs a judge: `mtpa-run import` reads this log, and scores it")
        place = None if found.chosen is None else trial.asked.order.index(found.chosen)
        answer = text if place is None else trial.letters[place]
        if found.value is None:
            return Score.unscored(answer=answer, reason=found.status)
        return Score(value=found.value, answer=answer, metadata={"status": found.status})

    return score


def _sample(trial: PromptedTrial) -> Sample:
    kinds: Mapping[str, Callable[..., ChatMessage]] = {"system": ChatMessageSystem, "user": ChatMessageUser}
    lettered = trial.asked.question.item.ask == "letter"
    return Sample(
        id=trial.id,
        input=[kinds[each["role"]](content=each["content"]) for each in trial.asked.request.messages],
        choices=trial.choices if lettered else None,
        target=[trial.letters[place] for place in trial.right] if lettered else "",
        metadata=dict(trial.about),
    )


@lru_cache(maxsize=2)
def _by_id(study: str, acknowledge: bool) -> Mapping[str, PromptedTrial]:
    return {each.id: each for each in _trials(study, acknowledge, None)}


def _trials(study: str, acknowledge: bool, people: int | None) -> Sequence[PromptedTrial]:
    return list(_kept(study, acknowledge, people))


def _kept(study: str, acknowledge: bool, people: int | None) -> Iterator[PromptedTrial]:
    with prepared(Study.load(study)) as ready:
        refuse_restricted(ready, acknowledge, _TERMS)
        for each in prompted_trials(ready):
            place = ready.crossing.place_of(each.asked.trial.persona)
            if each.asked.question.item.ask != "loglik" and (people is None or place <= people):
                yield each


def _decoding(section: ModelSection) -> dict[str, Any]:
    """What a study's decoding says in Inspect's words; what Inspect has no word for is left to its command line."""
    named = {_DECODING.get(name, name): value for name, value in section.decoding.items()}
    found = {name: named[name] for name in (*_SAME, "stop_seqs") if name in named}
    if isinstance(found.get("stop_seqs"), str):
        found["stop_seqs"] = [found["stop_seqs"]]
    return found
