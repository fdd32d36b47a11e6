"""`mtpa-run serve`: the local batching server."""

import os
import signal
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from personas.errors import InputError, MachineError
from runner.cli.terminal.console import say, show_steps
from runner.study.addresses import is_loopback

TOKEN = "MTPA_SERVE_TOKEN"
LAST_SECONDS = 4.5  # between a signal and the end
Precision = Literal["auto", "float16", "bfloat16", "float32"]
Device = Literal["auto", "cpu", "cuda", "mps"]


def serve(
    model: Annotated[
        str, typer.Option(metavar="NAME", help="A name of `mtpa-run data list`, a folder, or a Hugging Face id.")
    ],
    gguf: Annotated[str | None, typer.Option(metavar="FILE", help="The GGUF file in the model's folder.")] = None,
    revision: Annotated[str | None, typer.Option(metavar="REVISION", help="The hub revision.")] = None,
    dtype: Annotated[Precision, typer.Option(help="What the weights are computed in.")] = "auto",
    device: Annotated[Device, typer.Option(help="Where; auto takes a GPU if there is one.")] = "auto",
    socket: Annotated[Path | None, typer.Option(help="A Unix socket instead of a port.")] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help=f"An address; any but loopback wants a token in {TOKEN}.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port.")] = 8765,
    batch_tokens: Annotated[int | None, typer.Option(metavar="N", help="Tokens computed at once, at most.")] = None,
    check: Annotated[int, typer.Option(metavar="N", help="Compare N answers with unbatched ones (GET /check).")] = 0,
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Serve one model on loopback or a Unix socket until interrupted."""
    token = None if socket else os.environ.get(TOKEN)
    if not (socket or token or is_loopback(host)):
        raise InputError(f"--host {host} is open to others: put a token of your choice into {TOKEN}")
    from runner.backends.local import NO_TORCH, fastest_dtype, weights

    try:
        import torch
    except ImportError:
        raise MachineError(NO_TORCH) from None
    import asyncio

    from runner.serve.app import application
    from runner.serve.app import serve as serve_application
    from runner.serve.model import ServedModel
    from runner.serve.parent import end_with_parent
    from runner.serve.token_budget import MOST, START, TokenBudget

    if with_parent:
        end_with_parent()
    show_steps("runner.serve")
    source, file = weights(model)
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    chosen = ("cuda" if there["cuda"] else "cpu") if device == "auto" else device
    if not there[chosen]:
        raise InputError(f"--device {chosen}: this machine has none that torch can use; leave it out, or name cpu")
    precision = fastest_dtype() if dtype == "auto" else dtype
    loaded = ServedModel.load(source, gguf or file, revision, precision, chosen, check)
    start = batch_tokens or START.get(chosen, START["cpu"])
    budget = TokenBudget(start, None if batch_tokens else MOST * start)
    where = str(socket) if socket else f"http://{host}:{port}/v1"
    app = application(loaded, model, budget, token)
    ready = f"{model} in {precision} on {chosen}: {where}"
    asyncio.run(_until_interrupted(serve_application(app, socket, host, port, lambda: say(ready))))


async def _until_interrupted(serving: Coroutine[Any, Any, None]) -> None:
    """Serve until a signal; a pass of the model that goes on, which nothing can interrupt, is not waited for long."""
    import asyncio

    task = asyncio.create_task(serving)

    def end() -> None:
        timer = threading.Timer(LAST_SECONDS, os._exit, (130,))
        timer.daemon = True
        timer.start()
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        await task
    except asyncio.CancelledError:
        raise typer.Exit(130) from None
