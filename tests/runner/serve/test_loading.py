"""Loading: GGUF weights are converted once and stay the same; what cannot be loaded is said in a sentence."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError  # noqa: E402

from personas.errors import InputError, MachineError, MtpaError  # noqa: E402
from runner.serve import loading  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("cause", "kind", "sentence"),
    [
        (GatedRepoError, InputError, "is gated: accept its terms"),
        (RepositoryNotFoundError, InputError, "the hub has no model org/model"),
        (None, MachineError, "cannot be loaded: no config.json"),
    ],
)
def test_what_cannot_be_loaded_is_said(
    monkeypatch: pytest.MonkeyPatch, cause: Any, kind: type[MtpaError], sentence: str
) -> None:
    def refuse(*of: Any, **named: Any) -> None:
        error = OSError("no config.json\nand a long story")
        if cause is not None:
            error.__cause__ = cause.__new__(cause)
        raise error

    monkeypatch.setattr("runner.serve.loading.AutoTokenizer.from_pretrained", refuse)
    with pytest.raises(kind, match=sentence):
        loading.load("org/model", None, None, "float32", "cpu")


def test_a_folder_without_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"small\.gguf: cannot be read"):
        loading.load(tmp_path, "small.gguf", None, "float32", "cpu")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, name: str, smollm: Any) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    LlamaForCausalLM(LlamaConfig(vocab_size=99, hidden_size=32, num_hidden_layers=1)).save_pretrained(tmp_path)
    smollm.tokenizer.save_pretrained(tmp_path)
    (tmp_path / name).write_text("[]")
    with pytest.raises(MachineError, match=f"the model {tmp_path} cannot be loaded: .+"):
        loading.load(tmp_path, None, None, "float32", "cpu")


def test_of_two_conversions_one_is_kept_and_what_was_killed_is_swept(
    tmp_path: Path, smollm: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the other one ends while this one writes."""
    import os

    from transformers import LlamaConfig, LlamaForCausalLM

    tiny = LlamaForCausalLM(LlamaConfig(vocab_size=99, hidden_size=32, num_hidden_layers=1))
    (tmp_path / "tmpkilled").mkdir()
    os.utime(tmp_path / "tmpkilled", (0, 0))
    for _ in range(2):
        loading._keep(tiny, smollm.tokenizer, tmp_path / "kept")
    assert caplog.messages == [] and [each.name for each in tmp_path.iterdir()] == ["kept"]
    assert not [each for each in (tmp_path / "kept").iterdir() if each.is_dir()]
    (tmp_path / "file").write_text("")
    loading._keep(tiny, smollm.tokenizer, tmp_path / "file" / "kept")
    assert "could not be kept" in caplog.messages[0]


def test_weights_are_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up model stands for the GGUF file: what is counted is how often it is read, and where from."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from runner.backends.local import weights

    source, gguf = weights("smollm2-135m-instruct")
    monkeypatch.setenv("MTPA_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    read: list[tuple[str, str | None]] = []
    tiny = LlamaForCausalLM(LlamaConfig(vocab_size=99, hidden_size=32, intermediate_size=16, num_hidden_layers=1))
    whole = loading._loaded

    def reading(source: Any, gguf: str | None, *others: Any) -> Any:
        read.append((Path(source).name, gguf))
        return (tiny, tokenizer) if gguf else whole(source, gguf, *others)

    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=gguf)
    monkeypatch.setattr(loading, "_loaded", reading)
    for _ in range(2):
        model, loaded = loading.load(tmp_path, "model.gguf", None, "float32", "cpu")
        assert all(torch.equal(model.state_dict()[name], value) for name, value in tiny.state_dict().items())
        assert loaded("Who am I? \u00e9\u4f60")["input_ids"] == tokenizer("Who am I? \u00e9\u4f60")["input_ids"]
    assert [gguf for _, gguf in read] == ["model.gguf", None, None]
    (tmp_path / "model.gguf").write_bytes(b"GGUF, another")
    loading.load(tmp_path, "model.gguf", None, "float32", "cpu")
    assert [gguf for _, gguf in read][3] == "model.gguf", "a file that changed is converted anew"
