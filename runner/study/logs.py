"""The package's log: `mtpa` and a logger below it for each module, silent until a program or a notebook shows it."""

import logging

from runner.study.masking import scrub

ROOT = "mtpa"
IN_SUMMARY = {"in_summary": True}  # `extra` of a record that the command's last lines repeat
logging.getLogger(ROOT).addHandler(logging.NullHandler())


class _WithoutKeys(logging.Filter):
    """Takes the keys that this process has read out of a record, whoever handles it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrub(record.getMessage()), ()
        return True


_without_keys = _WithoutKeys()


def logger(module: str) -> logging.Logger:
    """The logger of a module: `mtpa.runner.store.merge` for `runner.store.merge`."""
    found = logging.getLogger(f"{ROOT}.{module}")
    found.addFilter(_without_keys)
    return found
