"""Whether the last run of a study passes its gate."""

from collections.abc import Sequence
from dataclasses import dataclass

from personas.errors import InputError
from runner.results.study_report import slicing_of
from runner.store.completeness import of_scores
from runner.store.scores import last_selection, load_scores
from runner.study.config import Study
from runner.study.sources import described
from scoring.benchmarks.trait_inference import CONTROL_PART, OWN_ANSWER_PARTS
from scoring.robustness.release_gate import GateVerdict, gate_verdicts
from scoring.robustness.worst_tenth import worst_tenth_table


@dataclass(frozen=True, slots=True)
class GateResult:
    """The verdicts of a study, and what is missing of a run that is not whole, which does not pass; else ""."""

    verdicts: Sequence[GateVerdict]
    incomplete: str

    @property
    def passed(self) -> bool:
        """Whether everything that was judged passes, and nothing is missing."""
        return all(each.passed for each in self.verdicts) and not self.incomplete


def study_gate(study: Study) -> GateResult:
    """The verdicts of the study's last run. Raises InputError where it has no [gate], or nothing that can be judged."""
    if study.gate is None:
        raise InputError(f"{study.path}: there is no [gate]; add one with a floor, such as: floor = -0.05")
    for section in study.benchmarks:
        described(section.name, study)
    scores = load_scores(study.database, last_selection(study.database), answers=False)
    apart = (*OWN_ANSWER_PARTS, CONTROL_PART)
    found = [part for part in slicing_of(study, scores).parts(scores) if part.benchmark not in apart]
    verdicts = gate_verdicts(worst_tenth_table(found, study.study.seed), study.gate.floor)
    if not verdicts:
        raise InputError(
            f"{study.path}, key 'gate': no benchmark of this study has pairs and a better direction to be judged by"
        )
    return GateResult(verdicts, of_scores(study.database, scores).sentence)
