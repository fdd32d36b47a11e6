"""Logs come from elsewhere: whatever is in them, an answer is one of ours or is counted as left out."""

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from studies import load, model, rows

from personas import bounded
from personas.errors import InputError
from runner.crossing.prepare import prepared
from runner.sharing.harness_samples import read_lm_eval
from runner.sharing.import_answers import Imported, import_answers, read_logs
from runner.sharing.inspect_samples import read_inspect
from runner.study.config import Study

CONFIG = {"temperature": 0.0}


def sample(prompt: str, answer: Any = "A", **changes: Any) -> dict[str, Any]:
    """A sample of Inspect's that is one of ours."""
    told = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    choice = {"message": told[1], "stop_reason": "stop"}
    usage = {"input_tokens": 90, "output_tokens": 1, "input_tokens_cache_read": 10}
    output = {"model": "m-1", "choices": [choice], "usage": usage, "time": 0.25}
    return {"id": "x", "epoch": 1, "messages": told, "output": output, **changes}


def log(path: Path, samples: list[Any], **head: Any) -> Path:
    """A log of Inspect as JSON, or as an archive."""
    spec = {
        "eval": {"model": "mock/m", "model_generate_config": CONFIG},
        "plan": {"config": {"max_retries": 3}},
        **head,
    }
    if path.suffix == ".json":
        path.write_text(json.dumps({**spec, "samples": samples}))
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(spec))
        for number, each in enumerate(samples):
            archive.writestr(f"samples/{number}_epoch_1.json", json.dumps(each))
    return path


@pytest.fixture
def study(tmp_path: Path) -> Study:
    table = model("http://127.0.0.1:1/v1", id="mock/m", name="m (imported)", backend="imported", decoding=CONFIG)
    del table["base_urls"]
    return load(tmp_path, [table | {"replicates": 2, "baseline_replicates": 2}], n=3, groups=2)


def prompts_of(study: Study) -> list[str]:
    with prepared(study) as ready:
        return list(dict.fromkeys(asked.request.messages[0]["content"] for asked in trials(ready)))


def trials(ready: Any) -> Any:
    return ready.crossing.trials(ready.crossing.models[0])


def imported(study: Study, *paths: Path) -> Imported:
    with prepared(study) as ready:
        return import_answers(ready, read_logs(paths))


@pytest.mark.parametrize("end", [".json", ".eval"])
def test_answers_find_their_trials_by_what_was_asked(end: str, study: Study, tmp_path: Path) -> None:
    prompts = prompts_of(study)
    samples = [
        sample(prompt, f"({place % 2})", epoch=epoch) for epoch in (2, 1) for place, prompt in enumerate(prompts)
    ]
    samples[0]["output"]["choices"][0]["message"]["content"] = "second \ud83d"
    samples += [sample("another question"), sample(prompts[0], epoch=3)]
    found = imported(study, log(tmp_path / f"log{end}", samples))
    assert (found.new, found.known) == (2 * len(prompts), 0)
    assert +found.left_out == {
        "answers that no trial of the study asks for": 1,
        "further answers to what has its answer": 1,
    }
    assert imported(study, tmp_path / f"log{end}").known == 2 * len(prompts)
    with prepared(study) as ready:
        first = {
            asked.trial.replicate: asked.request.key
            for asked in trials(ready)
            if not asked.persona and asked.text == prompts[0]
        }
        answers = {number: ready.cache.responses(ready.cache.find([key]).values()) for number, key in first.items()}
    assert {number: next(iter(each.values())).response.text for number, each in answers.items()} == {
        0: "(0)",
        1: "second \ufffd",
    }
    counts = "SELECT DISTINCT prompt_tokens, completion_tokens, cached_tokens, micro_usd, latency_ms FROM completion"
    assert rows(tmp_path, counts) == [(100, 1, 10, 0, 250)]
    assert rows(tmp_path, "SELECT name, provider, served FROM model") == [("m (imported)", "imported", "m-1")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"error": {"message": "no"}}, "failed"),
        ({"events": [{"event": "model", "tools": [{"name": "bash"}]}]}, "tools"),
        ({"events": [{"event": "model"}, {"event": "model"}]}, "more than one call"),
        ({"output": None}, "without an answer"),
        ({"output": {"choices": [{"message": {"content": [{"type": "image", "image": "x"}]}}]}}, "without an answer"),
        ({"messages": [{"role": "user", "content": "x"}]}, "not one question and one answer"),
        ({"messages": "attachment://x"}, "not one question and one answer"),
        ({"messages": [{"role": "user", "content": 7}, {"role": "assistant"}]}, "are not text"),
        ({"messages": [{"role": "user", "content": "attachment://x"}, {"role": "assistant"}]}, "are not text"),
    ],
)
def test_what_is_none_of_ours_is_counted(changes: dict[str, Any], reason: str, study: Study, tmp_path: Path) -> None:
    read = read_inspect(log(tmp_path / "log.json", [sample("x", **changes), sample("x"), 7]))
    assert len(read.answers) == 1 and len(read.left_out) == 2
    assert any(reason in each for each in read.left_out)


def test_versions_and_parameters_are_not_mixed(study: Study, tmp_path: Path) -> None:
    prompts = prompts_of(study)
    warm = {"events": [{"event": "model", "config": {"temperature": 1.0, "max_connections": 9}}]}
    with pytest.raises(InputError, match=r"generated otherwise(.|\n)*decoding = \{ temperature = 1.0 \}"):
        imported(study, log(tmp_path / "warm.json", [sample(prompts[0], **warm)]))
    for value in ([None], 1 << 70, {"a": [[None]]}, "\ud800"):
        odd = {"events": [{"event": "model", "config": {"extra": value}}]}
        with pytest.raises(InputError, match="parameters that a study cannot name"):
            imported(study, log(tmp_path / "odd.json", [sample(prompts[0], **odd)]))
    with pytest.raises(InputError, match="not all asked for with the same parameters"):
        imported(study, log(tmp_path / "both.json", [sample(prompts[0], **warm), sample(prompts[1])]))
    with pytest.raises(InputError, match="names no model 'mock/other'"):
        imported(study, log(tmp_path / "other.json", [sample(prompts[0])], eval={"model": "mock/other"}))
    imported(study, log(tmp_path / "one.json", [sample(prompts[0])]))
    newer = sample(prompts[1])
    newer["output"]["model"] = "m-2"
    with pytest.raises(InputError, match="are from m-1 and m-2; versions of a model are not mixed"):
        imported(study, log(tmp_path / "two.json", [newer]))
    assert rows(tmp_path, "SELECT count(*) FROM completion") == [(1,)]


def test_the_name_says_that_answers_are_imported() -> None:
    table = {"backend": "imported", "id": "m", "answer": "text"}
    tables = {
        "study": {"name": "s"},
        "personas": {"sources": ["starter_wvs3"], "n": 2},
        "benchmarks": [{"name": "bbq"}],
    }
    assert Study.from_dict({**tables, "models": [{**table, "name": "m (imported)"}]}).models[0].leaves_machine is False
    with pytest.raises(InputError, match=r'call it "m \(imported\)"'):
        Study.from_dict({**tables, "models": [{**table, "name": "m"}]})
    with pytest.raises(InputError, match="set answer = 'text'"):
        Study.from_dict({**tables, "models": [{**table, "name": "m (imported)", "answer": "probabilities"}]})


def test_archives_that_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps({"eval": {"model": "m"}}))
        archive.writestr("samples/1.json", b" " * 70_000_000)
    with pytest.raises(InputError, match="larger than any sample"):
        read_inspect(path)
    monkeypatch.setattr(bounded, "UNPACKED", 60_000_000)
    with pytest.raises(InputError, match="would unpack to more"):
        read_inspect(path)
    lying = bytearray(path.read_bytes())
    lying[lying.index(b"PK\x01\x02", 10) + 24 :][:4] = b"\x10\0\0\0"
    path.write_bytes(bytes(lying))
    with pytest.raises(InputError):
        read_inspect(path)


def test_what_is_no_log_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.eval").write_text("no archive")
    (tmp_path / "deep.json").write_text("[" * 200_000)
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "none.json").write_text("{}")
    (tmp_path / "raw.json").write_bytes(b"\xff\xfe")
    for name in ("empty", "text.eval", "deep.json", "list.json", "none.json", "raw.json", "absent.json", "absent.eval"):
        with pytest.raises(InputError, match=name):
            read_logs([tmp_path / name])
    packed = log(tmp_path / "zstd.eval", [])
    packed.write_bytes(
        packed.read_bytes().replace(b"PK\x01\x02\x14\x03\x14\0\0\0\x08\0", b"PK\x01\x02\x14\x03\x14\0\0\0\x5d\0")
    )
    monkeypatch.setitem(sys.modules, "zipfile_zstd", None)
    with pytest.raises(InputError, match="pip install inspect_ai"):
        read_inspect(packed)


KEYS = (
    "messages role content output choices message stop_reason usage input_tokens epoch events event tools config model"
)
KEYS += " attachments type text error doc arguments gen_args_0 arg_0 arg_1 resps doc_id plan eval samples n-shot"
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["user", "assistant", "text", "model", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=5),
    max_leaves=20,
)


@given(head=VALUES, one=VALUES, other=st.dictionaries(st.sampled_from(KEYS.split()), VALUES, max_size=6))
def test_no_value_in_a_log_is_more_than_a_sentence(tmp_path_factory: Any, head: Any, one: Any, other: Any) -> None:
    folder = tmp_path_factory.getbasetemp() / "values"
    folder.mkdir(exist_ok=True)
    path = folder / "log.json"
    path.write_text(
        json.dumps({"eval": {"model": "m", "model_generate_config": head}, "plan": one, "samples": [one, other]})
    )
    samples = folder / "samples_t_2026-11-26T11-37-03.1.jsonl"
    samples.write_text("".join(json.dumps(each) + "\n" for each in (other, {"doc_id": 1, **other})))
    (folder / "results_2026-11-26T11-37-03.1.json").write_text(
        json.dumps({"config": {"model": "m", "model_args": head}})
    )
    for read in (read_inspect(path), _or_none(samples)):
        if read:
            assert all(isinstance(each.response.text or "", str) and each.content for each in read.answers)


def _or_none(path: Path) -> Any:
    try:
        return read_lm_eval(path)
    except InputError:
        return None


def test_a_piece_of_an_archive_is_a_sentence(tmp_path: Path) -> None:
    whole = log(tmp_path / "log.eval", [sample("x" * 500), sample("y" * 500)]).read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 30):
        (tmp_path / "cut.eval").write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_inspect(tmp_path / "cut.eval")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        place = archive.getinfo("samples/0_epoch_1.json").header_offset + 60
    (tmp_path / "cut.eval").write_bytes(whole[:place] + b"\0\0\0\0" + whole[place + 4 :])
    with pytest.raises(InputError):
        read_inspect(tmp_path / "cut.eval")
