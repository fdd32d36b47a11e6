"""Answers from a log of Inspect, an `.eval` archive or its JSON, read without running anything of it.

An answer counts where one call of the model made it: a system message or none, one user message, no tools. What a
solver did beyond that is in no request of ours, and is left out.
"""

import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from personas import bounded
from personas.errors import InputError
from runner.backends.request import Usage, without_surrogates
from runner.sharing.logged_answers import AnswerLog, LoggedAnswer, Messages, count_of, name_of, text_of
from scoring.answers.responses import Response

ARCHIVE, HEADER, SAMPLES = ".eval", "header.json", "samples/"
FINISHES = {"stop": "stop", "max_tokens": "length", "model_length": "length", "content_filter": "content_filter"}
MEMBER = 64_000_000  # bytes of one sample
_PIECE = 4096  # packed bytes at a time: what they unpack to stays within memory
_REFERENCE = "attachment://"
_ZSTANDARD = 93
# What a call's configuration says of how it was made, not of what was asked.
_OF_THE_CALL = frozenset(
    "max_retries timeout attempt_timeout max_connections adaptive_connections cache batch num_choices "
    "parallel_tool_calls max_tool_output cache_prompt".split()
)


def read_inspect(path: Path) -> AnswerLog:
    """The answers of a log. Raises InputError for a file that is not one, or is too large to be one."""
    documents = _of_archive(path) if path.suffix == ARCHIVE else _of_json(path)
    head = next(documents)
    spec = head.get("eval")
    if not isinstance(spec, dict) or not name_of(spec.get("model")):
        raise InputError(f"{path}: not an Inspect log (it names no model); name an .eval file, or its JSON")
    plan = head.get("plan")
    given = _settings(spec.get("model_generate_config"))
    given |= _settings(plan.get("config")) if isinstance(plan, dict) else {}
    log = AnswerLog(path, name_of(spec["model"]), given, [], Counter())
    configs: list[Mapping[str, Any]] = []
    for sample in documents:
        found = _answer(sample) if isinstance(sample, dict) else "entries that are not samples"
        if isinstance(found, str):
            log.left_out[found] += 1
            continue
        config = _config(sample)
        configs.append(given if config is None else config)
        log.answers.append(found)
    if configs and any(each != configs[0] for each in configs):
        raise InputError(
            f"{path}: its answers were not all asked for with the same parameters, which cannot be one model's answers "
            "in a study; split the log"
        )
    log.decoding = configs[0] if configs else given
    return log


def _of_archive(path: Path) -> Iterator[dict[str, Any]]:
    """The header, then each sample."""
    bounded.check_file(path)
    damaged: tuple[type[Exception], ...] = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error)
    try:
        with bounded.open_archive(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > bounded.UNPACKED:
                raise InputError(f"{path}: would unpack to more than {bounded.UNPACKED:,} bytes; split the log")
            if any(entry.compress_type == _ZSTANDARD for entry in entries):
                damaged += (_zstandard_error(path),)
            names = archive.namelist()
            if HEADER not in names:
                raise InputError(f"{path}: not an Inspect log, or one that was never finished ({HEADER} is missing)")
            yield _json(f"{path}, {HEADER}", _member(archive, path, HEADER))
            for name in names:
                if name.startswith(SAMPLES) and name.endswith(".json"):
                    yield _json(f"{path}, {name!r:.80}", _member(archive, path, name))
    except damaged as error:
        raise InputError(f"{path}: not a complete Inspect log ({error}); copy it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name a log that is there") from None


def _zstandard_error(path: Path) -> type[Exception]:
    """Teaches zipfile what Inspect packs with; returns what that raises where the bytes are damaged."""
    try:
        import zipfile_zstd  # noqa: F401
        from zstandard import ZstdError
    except ImportError:
        raise InputError(
            f"{path}: packed with zstandard, which comes with Inspect: pip install inspect_ai; or write the log as "
            "JSON: inspect log convert --to json"
        ) from None
    return ZstdError


def _member(archive: zipfile.ZipFile, path: Path, name: str) -> bytes:
    """One member's bytes, of which no more are unpacked than may be."""
    found = bytearray()
    with archive.open(name) as file:
        while piece := file.read(_PIECE):
            found += piece
            if len(found) > MEMBER:
                raise InputError(f"{path}: {name!r:.80} is larger than any sample is; split the log")
    return bytes(found)


def _of_json(path: Path) -> Iterator[dict[str, Any]]:
    with bounded.readable(path, "an Inspect log", "name an .eval file, or its JSON"):
        text = bounded.read_text(path, bounded.WHOLE)
    document = _json(str(path), text)
    yield document
    samples = document.get("samples")
    yield from samples if isinstance(samples, list) else ()


def _json(place: str, text: str | bytes) -> dict[str, Any]:
    """A JSON object. A text that holds halves of surrogate pairs stays: it may be what the model wrote."""
    with bounded.readable(place, "JSON", "copy the log again"):
        found = json.loads(text)
    if not isinstance(found, dict):
        raise InputError(f"{place}: not a JSON object, so not an Inspect log; name an .eval file, or its JSON")
    return found


def _settings(config: Any) -> dict[str, Any]:
    """What a call's configuration says that an answer depends on."""
    if not isinstance(config, dict):
        return {}
    return {str(name): value for name, value in config.items() if value is not None and name not in _OF_THE_CALL}


def _calls(sample: Mapping[str, Any]) -> list[dict[str, Any]]:
    events = sample.get("events")
    listed = events if isinstance(events, list) else []
    return [each for each in listed if isinstance(each, dict) and each.get("event") == "model"]


def _config(sample: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the model's call was made with; None in a log without events."""
    return next((_settings(each.get("config")) for each in _calls(sample)), None)


def _answer(sample: Mapping[str, Any]) -> LoggedAnswer | str:
    """A sample's answer, or why it is not to a prompt of ours."""
    calls, output = _calls(sample), sample.get("output")
    if sample.get("error"):
        return "samples that failed"
    if len(calls) > 1:
        return "samples with more than one call of the model"
    if any(each.get("tools") for each in calls):
        return "samples with tools"
    messages = _messages(sample)
    if isinstance(messages, str):
        return messages
    choice = _first(output.get("choices")) if isinstance(output, dict) else None
    message = choice.get("message") if choice else None
    text = text_of(_resolved(message.get("content"), sample)) if isinstance(message, dict) else None
    if not isinstance(output, dict) or choice is None or text is None:
        return "samples without an answer in text"
    usage, seconds = output.get("usage"), output.get("time")
    # what was read from a cache is apart from the input there, and among the prompt's tokens here
    cached, prompt = count_of(usage, "input_tokens_cache_read") or 0, count_of(usage, "input_tokens")
    return LoggedAnswer(
        messages,
        "text",
        (),
        Response(without_surrogates(text), finish=FINISHES.get(str(choice.get("stop_reason")), "")),
        Usage(
            None if prompt is None else prompt + cached,
            count_of(usage, "output_tokens"),
            count_of(usage, "reasoning_tokens") or 0,
            cached,
            round(seconds * 1000) if isinstance(seconds, float | int) and 0 <= seconds < 1e6 else 0,
        ),
        name_of(output.get("model")),
        count_of(sample, "epoch") or 1,
    )


def _messages(sample: Mapping[str, Any]) -> Messages | str:
    """What the model read, or why it is not a prompt of ours."""
    listed = sample.get("messages")
    told = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    roles = [each.get("role") for each in told]
    if roles not in (["user", "assistant"], ["system", "user", "assistant"]):
        return "samples that are not one question and one answer"
    texts = [text_of(_resolved(each.get("content"), sample)) for each in told[:-1]]
    if any(text is None for text in texts):
        return "samples whose messages are not text"
    return [{"role": str(role), "content": text or ""} for role, text in zip(roles, texts, strict=False)]


def _resolved(value: Any, sample: Mapping[str, Any]) -> Any:
    """A text that the log keeps apart, in its place."""
    if isinstance(value, str) and value.startswith(_REFERENCE):
        kept = sample.get("attachments")
        return kept.get(value.removeprefix(_REFERENCE)) if isinstance(kept, dict) else None
    return value


def _first(value: Any) -> dict[str, Any] | None:
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else None
