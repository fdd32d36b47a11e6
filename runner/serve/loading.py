"""Loading a causal language model: from the hub, a folder, or a GGUF file that is converted once."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from personas.errors import InputError, MachineError
from runner.study.assets import cache_directory
from runner.study.logs import logger

SCRATCH = "tmp"
ABANDONED_SECONDS = 86_400.0
log = logger(__name__)


def load(source: Path | str, gguf: str | None, revision: str | None, dtype: str, device: str) -> tuple[Any, Any]:
    """The model, ready to answer on its device, and its tokenizer. Raises InputError or MachineError.

    On CUDA the layers are spread over the devices that are there (`device_map="auto"`). A GGUF file's weights and
    tokenizer, which take long to convert, are kept in the cache directory.
    """
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    folder = _converted(Path(source), gguf, dtype) if gguf else None
    if gguf and folder and not folder.exists():
        log.info("converting %s, which is done once", gguf)
        _convert(Path(source), gguf, dtype, folder)
    if folder and folder.exists():
        source, gguf = folder, None
    return _loaded(source, gguf, revision, dtype, device)


def _loaded(source: Path | str, gguf: str | None, revision: str | None, dtype: str, device: str) -> tuple[Any, Any]:
    named: dict[str, Any] = {"gguf_file": gguf} if gguf else {"revision": revision} if revision else {}
    spread = {"device_map": "auto"} if device == "cuda" else {}
    with _sentences(source):
        tokenizer = AutoTokenizer.from_pretrained(source, **named)
        model: Any = AutoModelForCausalLM.from_pretrained(source, dtype=getattr(torch, dtype), **named, **spread)
        return (model if spread else model.to(device)).eval(), tokenizer


def load_tokenizer(source: Path | str, gguf: str | None, revision: str | None) -> Any:
    """The model's tokenizer alone. Raises InputError or MachineError."""
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    named: dict[str, Any] = {"gguf_file": gguf} if gguf else {"revision": revision} if revision else {}
    with _sentences(source):
        return AutoTokenizer.from_pretrained(source, **named)


@contextmanager
def _sentences(source: Path | str) -> Iterator[None]:
    """What goes wrong while a model is loaded, as one sentence."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise MachineError(f"the model {source} does not fit into this device's memory; name a smaller one") from None
    except Exception as error:  # what a damaged or unknown file makes the libraries raise is of any class
        reasons: list[BaseException | None] = [error, error.__cause__, error.__context__]
        if any(isinstance(each, GatedRepoError) for each in reasons):
            raise InputError(
                f"the model {source} is gated: accept its terms on its page, then put your access token into HF_TOKEN"
            ) from None
        if any(isinstance(each, RepositoryNotFoundError) for each in reasons):
            raise InputError(
                f"the hub has no model {source}; check the name, or put your access token into HF_TOKEN"
            ) from None
        said = str(error).strip().partition("\n")[0]
        raise MachineError(f"the model {source} cannot be loaded: {said or type(error).__name__}") from None


def _converted(source: Path, gguf: str, dtype: str) -> Path:
    """Where a GGUF file's converted weights are kept: named by the file as it is now."""
    file = source / gguf
    try:
        status = file.stat()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from None
    said = f"{file.resolve()}\x1f{status.st_size}\x1f{status.st_mtime_ns}"
    return cache_directory() / "converted" / f"{file.stem}-{hashlib.sha256(said.encode()).hexdigest()[:16]}-{dtype}"


def _convert(source: Path, gguf: str, dtype: str, folder: Path) -> None:
    """Convert the weights and keep them; a disk that is full costs the next start its time."""
    model, tokenizer = _loaded(source, gguf, None, dtype, "cpu")
    model.hf_quantizer = None  # the weights are dense by now, and saved only as such
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    _keep(model, tokenizer, folder)


def _keep(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save beside the folder, then move into its place: it is there whole or not at all."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder.parent)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=SCRATCH) as scratch:
            model.save_pretrained(scratch)
            tokenizer.save_pretrained(scratch)
            with suppress(OSError):  # another process was faster
                Path(scratch).rename(folder)
    except (OSError, SafetensorError) as error:
        log.warning("the converted weights could not be kept, and will be converted again: %s", error)


def _sweep(folder: Path) -> None:
    """Remove what conversions that were killed have left."""
    for scratch in folder.glob(f"{SCRATCH}*"):
        if time.time() - scratch.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(scratch, ignore_errors=True)
