"""BibTeX: what a text names, and nothing that it does not."""

import re

from scoring.report.bibliography import bibtex

TEXT = "within the bounds of the score (Newcombe 1998; Zou and Donner 2008), with p adjusted (Holm 1979)."


def test_an_entry_for_each_method_that_the_text_names_and_for_no_other() -> None:
    data = [{"title": "CrowS-Pairs", "citation": "Nangia et al. 2020", "licence": "CC BY-SA 4.0"}]
    found = bibtex(TEXT, data)
    keys = re.findall(r"^@\w+\{([\w-]+),$", found, re.M)
    assert keys == ["mtpa2025", "newcombe1998", "zou2008", "holm1979", "crows-pairs"]
    assert found.count("{") == found.count("}")
    assert "pages = {11982--11992}" in found, "as the ACL Anthology prints it"
    for entry in found.split("\n\n")[1:-1]:  # an author of BibTeX's is "Family, Given", joined by "and"
        authors = re.search(r"author = \{(.*)\}", entry)
        assert authors and all("," in each for each in authors[1].split(" and "))
