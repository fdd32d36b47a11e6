"""Verdicts of a gate as JUnit XML, which build servers read: a test case for each model and benchmark."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from scoring.robustness.release_gate import GateVerdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(study: str, verdicts: Sequence[GateVerdict], incomplete: str = "") -> str:
    """A test suite named after the study.

    A gate that is not passed is a failure with its reason, and so is a run of which something is missing.
    """
    failed, whole = sum(not each.passed for each in verdicts), [incomplete] if incomplete else []
    counts = {"tests": str(len(verdicts) + len(whole)), "failures": str(failed + len(whole)), "errors": "0"}
    suite = ElementTree.Element("testsuite", {"name": _clean(f"mtpa gate: {study}"), **counts})
    for each in verdicts:
        names = {"classname": _clean(each.model), "name": _clean(f"{each.benchmark}: worst tenth")}
        case = ElementTree.SubElement(suite, "testcase", names)
        if not each.passed:
            ElementTree.SubElement(case, "failure", {"message": _clean(each.reason)})
        else:
            ElementTree.SubElement(case, "system-out").text = _clean(each.reason)
    for reason in whole:
        case = ElementTree.SubElement(suite, "testcase", {"classname": "run", "name": "complete"})
        ElementTree.SubElement(case, "failure", {"message": _clean(reason)})
    ElementTree.indent(suite)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(suite, encoding="unicode")}\n'


def _clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
