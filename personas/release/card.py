"""The dataset card that goes with an export."""

from collections.abc import Mapping, Sequence

from personas.people.respondents import Respondents, Source
from personas.traits import catalogue

PAPER = (
    "Tehenan, M., Chamoun, E. & Vlachos, A. (2025), MPTA: MultiTask Personalization Assessment, "
    "Findings of the Association for Computational Linguistics: EMNLP 2025"
)


_FRONT = """---
license: cc-by-nc-4.0
task_categories: [text-generation, question-answering]
tags: [personas, surveys, fairness, truthfulness]
---

# MTPA personas"""

_LAYOUT = (
    "One respondent a line: `id`, `survey`, `wave`, `country` (ISO 3166-1 alpha-3), `weight`, `split`, and `data`, a "
    "list of answers: `trait`, `domain`, `use`, `question`, `scale`, `value`, `label`. Missing answers are left out."
)

_TERMS = """## Sources and terms

The selection and harmonisation are under CC-BY-NC-4.0, as the paper releases its data. The answers stay under the terms
of the surveys they come from:"""


def dataset_card(respondents: Respondents, files: Mapping[str, int]) -> str:
    """A dataset card in Markdown: what is in the files, where it comes from, and what may be done with it."""
    sources = [respondents.sources[name] for name in sorted(respondents.sources)]
    columns = respondents.columns()
    core = sum(1 for name in columns if respondents.traits[name].use != "extended")
    contents = (
        f"{len(respondents):,} survey respondents of {respondents.frame['country'].nunique()} countries as personas: "
        f"{core} core traits beside the country, {len(columns) - core} extended ones, in "
        f"{len(catalogue().domains)} domains."
    )
    proxies = [
        f"- {each.survey}, `{name}`: {each.proxies[name]}"
        for each in sources
        for name in columns
        if name in each.proxies
    ]
    parts = [
        _FRONT,
        contents,
        _table(["file", "personas"], [[f"`{name}`", f"{count:,}"] for name, count in files.items()]),
        _LAYOUT,
        _TERMS,
        _table(["survey", "respondents", "terms", "may be passed on"], _terms(respondents, sources)),
        "## Citations",
        "\n".join(f"- {citation}" for citation in [PAPER, *(source.citation for source in sources)]),
        "## Proxies",
        "\n".join(proxies) or "None: every trait was asked as the catalogue has it.",
    ]
    return "\n\n".join(parts) + "\n"


def _terms(respondents: Respondents, sources: Sequence[Source]) -> list[list[str]]:
    counts = respondents.frame["survey"].value_counts()
    share = {True: "no, without leave of the publisher", False: "yes, with the citation"}
    return [[each.title, f"{counts.get(each.survey, 0):,}", each.licence, share[each.restricted]] for each in sources]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
