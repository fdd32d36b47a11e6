"""The tables of robustness by name: the tail, reliability, the answers' shift, items, equivalence, contrasts."""

from collections.abc import Mapping, Sequence

import pandas as pd

from scoring.robustness.answer_shift import shift_table
from scoring.robustness.equivalence import equivalence_table
from scoring.robustness.facets import facet_table
from scoring.robustness.item_differences import item_difference_table
from scoring.robustness.level_contrasts import contrast_table
from scoring.robustness.multiverse import multiverse_table, specification_table
from scoring.robustness.multiverse_gaps import multiverse_gap_table
from scoring.robustness.reliability import reliability_table
from scoring.robustness.traits.told_traits import told_trait_table
from scoring.robustness.worst_tenth import worst_tenth_table
from scoring.statistics.pairs import Part
from scoring.statistics.subgroups import Slicing


def robustness_tables(found: Sequence[Part], effects: pd.DataFrame, slicing: Slicing) -> dict[str, pd.DataFrame]:
    """Every table, from the pairs of all models and benchmarks and their effects."""
    return {
        **brief_robustness_tables(found, effects, slicing),
        "facets": facet_table(found),
        "reliability": reliability_table(found, slicing.seed),
        "answer_shift": shift_table(found, slicing.seed),
        "item_differences": item_difference_table(found, slicing.attributes, slicing.min_n),
        "multiverse_gaps": multiverse_gap_table(found, slicing.attributes, slicing.min_n, slicing.seed),
        "told_traits": told_trait_table(found, slicing.interactions, slicing.seed),
        "contrasts": contrast_table(found, slicing.contrasts, slicing.min_n),
    }


def brief_robustness_tables(
    found: Sequence[Part], effects: pd.DataFrame, slicing: Slicing
) -> Mapping[str, pd.DataFrame]:
    """What the finding in sentences is made of."""
    specifications = specification_table(found)
    return {
        "specifications": specifications,
        "multiverse": multiverse_table(found, specifications, slicing.seed),
        "worst_tenth": worst_tenth_table(found, slicing.seed),
        "equivalence": equivalence_table(found, effects, slicing.margin, slicing.seed),
    }
