"""BibTeX of the paper, the methods that a text names, and the data."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_PAPER = """@inproceedings{mtpa2025,
  author = {Tehenan, Matthieu and Chamoun, Eric and Vlachos, Andreas},
  title = {{MPTA}: {MultiTask} Personalization Assessment},
  booktitle = {Findings of the Association for Computational Linguistics: EMNLP 2025},
  pages = {11982--11992},
  address = {Suzhou, China},
  publisher = {Association for Computational Linguistics},
  year = {2025},
  url = {https://aclanthology.org/2025.findings-emnlp.640}
}"""
_FIELDS = ("author", "title", "journal", "volume", "number", "pages", "year")
# By the word that names it in a methods section.
_METHODS = {
    "Cameron": (
        "Cameron, A. Colin and Gelbach, Jonah B. and Miller, Douglas L.",
        "Robust Inference With Multiway Clustering",
        *("Journal of Business \\& Economic Statistics", "29", "2", "238--249", "2011"),
    ),
    "Bell": (
        "Bell, Robert M. and McCaffrey, Daniel F.",
        "Bias Reduction in Standard Errors for Linear Regression with Multi-Stage Samples",
        *("Survey Methodology", "28", "2", "169--181", "2002"),
    ),
    "Newcombe": (
        "Newcombe, Robert G.",
        "Interval Estimation for the Difference between Independent Proportions: Comparison of Eleven Methods",
        *("Statistics in Medicine", "17", "8", "873--890", "1998"),
    ),
    "Zou": (
        "Zou, Guang Yong and Donner, Allan",
        "Construction of Confidence Limits about Effect Measures: A General Approach",
        *("Statistics in Medicine", "27", "10", "1693--1702", "2008"),
    ),
    "Pustejovsky": (
        "Pustejovsky, James E. and Tipton, Elizabeth",
        "Small-Sample Methods for Cluster-Robust Variance Estimation and Hypothesis Testing in Fixed Effects Models",
        *("Journal of Business \\& Economic Statistics", "36", "4", "672--683", "2018"),
    ),
    "Owen": (
        "Owen, Art B.",
        "The Pigeonhole Bootstrap",
        *("The Annals of Applied Statistics", "1", "2", "386--411", "2007"),
    ),
    "Neyman": (
        "Neyman, Jerzy",
        "On the Two Different Aspects of the Representative Method",
        *("Journal of the Royal Statistical Society", "97", "4", "558--625", "1934"),
    ),
    "Des Raj": (
        "Raj, Des",
        "Some Estimators in Sampling with Varying Probabilities without Replacement",
        *("Journal of the American Statistical Association", "51", "274", "269--284", "1956"),
    ),
    "Lan and DeMets": (
        "Lan, K. K. Gordon and DeMets, David L.",
        "Discrete Sequential Boundaries for Clinical Trials",
        *("Biometrika", "70", "3", "659--663", "1983"),
    ),
    "Holm": (
        "Holm, Sture",
        "A Simple Sequentially Rejective Multiple Test Procedure",
        *("Scandinavian Journal of Statistics", "6", "2", "65--70", "1979"),
    ),
    "Benjamini": (
        "Benjamini, Yoav and Hochberg, Yosef",
        "Controlling the False Discovery Rate: A Practical and Powerful Approach to Multiple Testing",
        *("Journal of the Royal Statistical Society: Series B", "57", "1", "289--300", "1995"),
    ),
}


def bibtex(text: str, data: Iterable[Mapping[str, Any]]) -> str:
    """Entries for the paper, for the methods that a text names, and for the data."""
    named = [_entry(each) for word, each in _METHODS.items() if word in text]
    return "\n\n".join([_PAPER, *named, *map(_data_entry, data)])


def _entry(values: tuple[str, ...]) -> str:
    key = values[0].partition(",")[0].lower() + values[-1]
    fields = zip(_FIELDS, values, strict=True)
    return f"@article{{{key},\n" + ",\n".join(f"  {name} = {{{value}}}" for name, value in fields) + "\n}"


def _data_entry(data: Mapping[str, Any]) -> str:
    key = re.sub(r"[^a-z0-9]+", "-", str(data["title"]).lower())[:30].strip("-")
    return f"@misc{{{key},\n  title = {{{data['title']}}},\n  note = {{{data['citation']}. {data['licence']}}}\n}}"
