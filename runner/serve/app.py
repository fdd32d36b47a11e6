"""The local batching server: HTTP over loopback or a Unix socket."""

import asyncio
import hmac
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from personas.errors import MachineError
from runner.serve.batcher import Batcher, TooLarge
from runner.serve.bounds import TooMuch, refuse_too_much
from runner.serve.chat_api import ChatRequest, first_token, reply
from runner.serve.completions_api import CompletionRequest, ReadPrompt, choice, completion, next_token
from runner.serve.door import BACKLOG, MOST, Door
from runner.serve.generation import Generated, ends
from runner.serve.model import ServedModel
from runner.serve.prompts import RowScores, log_sum, summed_spellings
from runner.serve.token_budget import TokenBudget

MODEL = web.AppKey("model", ServedModel)
NAME = web.AppKey("name", str)
BATCHER = web.AppKey("batcher", Batcher)
TOKENISER = web.AppKey("tokeniser", ThreadPoolExecutor)
SHORT_BYTES = 8192  # of texts that are tokenised sooner than another thread takes them over
SHUTDOWN_SECONDS = 3.0
BODY_SECONDS = 60.0
IDLE_SECONDS = 30.0  # that a connection may be open without a request, or take for the head of one
OVERFLOW = "the model's numbers overflow in this dtype; name dtype = 'bfloat16' or 'float32'"
T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(model: ServedModel, name: str, budget: TokenBudget, token: str | None = None) -> web.Application:
    """The server's routes around a loaded model; with a token, only who sends it as a bearer token is answered."""
    app = web.Application(client_max_size=8_000_000, middlewares=[_authorised(token)] if token else [])
    app[MODEL], app[NAME] = model, name
    app[BATCHER] = Batcher(model, budget)
    app[TOKENISER] = ThreadPoolExecutor(1, thread_name_prefix="mtpa-tokeniser")
    app.cleanup_ctx.append(_batching)
    app.router.add_get("/health", _health)
    app.router.add_get("/stats", _stats)
    app.router.add_get("/check", _check)
    app.router.add_get("/v1/models", _models)
    for path, answer in (
        ("/v1/choices", _choices),
        ("/v1/loglikelihood", _loglikelihood),
        ("/v1/chat/completions", _chat),
        ("/v1/completions", _completions),
        ("/v1/embeddings", _embeddings),
    ):
        app.router.add_post(path, _answering(answer))
    return app


def _authorised(token: str) -> Any:
    """Middleware that refuses whoever does not send the token."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        sent = request.headers.get("Authorization", "")
        if not hmac.compare_digest(sent.encode("utf-8", "replace"), f"Bearer {token}".encode()):
            return _refusal(401, "send the server's token as 'Authorization: Bearer …'")
        return await handler(request)

    return check


def _answering(answer: Callable[[web.Application, dict[str, Any], int], Awaitable[dict[str, Any]]]) -> Handler:
    """A handler around a function from body to body: what is wrong with a request is said in a sentence."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.json()
            if not isinstance(body, dict):
                raise TypeError("the body must be a JSON object")
            size = refuse_too_much(body, request.app[MODEL].prompter.limit)
            return web.json_response(await answer(request.app, body, size))
        except web.HTTPException as error:
            return _refusal(error.status, error.reason)
        except (RecursionError, UnicodeError, web.RequestPayloadError) as error:
            return _refusal(400, f"the body is no JSON of a request ({type(error).__name__})")
        except TooMuch as error:
            return _refusal(413, str(error))
        except TimeoutError:
            return _refusal(408, f"the body did not come within {BODY_SECONDS:g} seconds")
        except KeyError as error:
            return _refusal(400, f"the key {error} is missing")
        except (TypeError, ValueError, LookupError) as error:  # LookupError: an unknown charset in a header
            return _refusal(400, f"bad request: {error}")
        except TooLarge as error:
            return _refusal(413, str(error))
        except Exception as error:
            return _refusal(500, f"{type(error).__name__}: {error}", "server_error")

    return handle


def _refusal(status: int, message: str, kind: str = "invalid_request_error") -> web.Response:
    return web.json_response({"error": {"message": message, "type": kind}}, status=status)


def _numbers(logprobs: list[float]) -> list[float]:
    """The same. Raises ValueError where they are none: a float16 of a model made in bfloat16 may overflow."""
    if any(map(math.isnan, logprobs)):
        raise ValueError(OVERFLOW)
    return logprobs


async def _tokenised(app: web.Application, size: int, job: Callable[[], T]) -> T:
    """What a job makes of texts of so many bytes: long ones beside the event loop, one request's after another's."""
    if size < SHORT_BYTES:
        return job()
    return await asyncio.get_running_loop().run_in_executor(app[TOKENISER], job)


async def _batching(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(app[BATCHER].work())
    yield
    task.cancel()


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "batch_tokens": request.app[BATCHER].budget.size})


async def _stats(request: web.Request) -> web.Response:
    batcher, passes = request.app[BATCHER], request.app[MODEL].passes
    now = {"waiting": batcher.waiting, "batch_tokens": batcher.budget.size, "shares_prefixes": passes.shares}
    return web.json_response(now | asdict(batcher.counts))


async def _check(request: web.Request) -> web.Response:
    found = await request.app[BATCHER].alone(request.app[MODEL].exactness)
    return web.json_response(found.record())


async def _models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": request.app[NAME], "object": "model"}]})


async def _choices(app: web.Application, body: dict[str, Any], size: int) -> dict[str, Any]:
    """{messages, choices} → {logprobs, mass, likeliest, usage}.

    `logprobs` are natural logs in the order of the choices, `mass` is the probability that the choices hold together,
    `likeliest` the text of the likeliest token.
    """
    if not all(map(str.strip, choices := _texts(body["choices"]))):
        raise ValueError("a choice has no text")
    row, counts = await _tokenised(app, size, lambda: app[MODEL].prompter.letters(body["messages"], choices))
    (told,) = await app[BATCHER].tell([row])
    logprobs = summed_spellings(_numbers(told.logprobs), counts)
    mass = min(1.0, math.exp(log_sum(logprobs)))
    likeliest = app[MODEL].tokenizer.decode([told.top[0][0]])
    usage = {"prompt_tokens": len(row.tokens)}
    return {"logprobs": logprobs, "mass": mass, "likeliest": likeliest, "usage": usage}


async def _loglikelihood(app: web.Application, body: dict[str, Any], size: int) -> dict[str, Any]:
    """{messages, continuations} → {logprobs, tokens, usage}: the summed natural log of each continuation's tokens."""
    rows = await _tokenised(
        app, size, lambda: app[MODEL].prompter.continuations(body["messages"], _texts(body["continuations"]))
    )
    told = await app[BATCHER].tell(rows)
    counts = [len(row.asked) for row in rows]
    usage = {"prompt_tokens": len(rows[0].tokens) + 1 - counts[0] + sum(counts)}
    return {"logprobs": [sum(_numbers(each.logprobs)) for each in told], "tokens": counts, "usage": usage}


async def _chat(app: web.Application, body: dict[str, Any], size: int) -> dict[str, Any]:
    """OpenAI's chat completion, one choice, not streamed. One token at temperature 0 takes one pass, as choices do."""
    request, model = ChatRequest.read(body), app[MODEL]
    if row := await _tokenised(app, size, lambda: request.row(model.prompter)):
        (told,) = await app[BATCHER].tell([row])
        _numbers([logprob for _, logprob in told.top])
        written = first_token(told, ends(model.model, model.tokenizer), model.tokenizer)
        return reply(app[NAME], request, len(row.tokens), written, model.tokenizer)
    generation = await _tokenised(app, size, lambda: request.generation(model.prompter))
    written = await app[BATCHER].write(generation)
    if written.overflow:
        raise ValueError(OVERFLOW)
    return reply(app[NAME], request, len(generation.tokens), written, model.tokenizer)


async def _completions(app: web.Application, body: dict[str, Any], size: int) -> dict[str, Any]:
    """OpenAI's completion of texts, or of token ids: one choice a prompt, not streamed.

    With `echo` and `logprobs`, the prompt's own log-probabilities; those and one token at temperature 0 take one pass.
    """
    request, model = CompletionRequest.read(body), app[MODEL]
    prompts = await _tokenised(
        app,
        max(size, len(str(body["prompt"]))),
        lambda: [request.read_prompt(model.prompter, each) for each in request.prompts],
    )
    found = await asyncio.gather(*(_completed(app, request, prompt) for prompt in prompts))
    choices = [
        choice(request, number, prompt, told, written, model.tokenizer)
        for number, (prompt, (told, written)) in enumerate(zip(prompts, found, strict=True))
    ]
    counts = sum(len(prompt.tokens) for prompt in prompts), sum(len(written.tokens) for _, written in found)
    return completion(app[NAME], choices, *counts)


async def _completed(
    app: web.Application, request: CompletionRequest, prompt: ReadPrompt
) -> tuple[RowScores | None, Generated]:
    """The scores of a prompt's tokens, and what is written after it."""
    model, told, written = app[MODEL], None, Generated()
    if row := request.row(prompt):
        (told,) = await app[BATCHER].tell([row])
        _numbers(told.logprobs)
        _numbers([logprob for _, logprob in told.top])
        if row.top:
            written = next_token(told, ends(model.model, model.tokenizer), model.tokenizer)
    if request.max_tokens and not request.is_one_pass:
        written = await app[BATCHER].write(request.generation(prompt))
        if written.overflow:
            raise ValueError(OVERFLOW)
    return told, written


async def _embeddings(app: web.Application, body: dict[str, Any], size: int) -> dict[str, Any]:
    """{input: text or texts} → OpenAI's list of embeddings: the mean of the last layer over each text's tokens."""
    model = app[MODEL]
    texts = [body["input"]] if isinstance(body["input"], str) else _texts(body["input"])
    rows = await _tokenised(app, size, lambda: [model.prompter.text(each) for each in texts])
    found = await app[BATCHER].alone(lambda: model.passes.embeddings(rows))
    data = [{"object": "embedding", "index": number, "embedding": each} for number, each in enumerate(found)]
    usage = {"prompt_tokens": sum(map(len, rows)), "total_tokens": sum(map(len, rows))}
    return {"object": "list", "data": data, "model": app[NAME], "usage": usage}


def _texts(value: Any) -> Sequence[str]:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise ValueError("a list of texts is wanted")
    return value


async def serve(app: web.Application, socket: Path | None, host: str, port: int, ready: Callable[[], None]) -> None:
    """Serve until cancelled."""
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # whoever sends what is no HTTP is told so
    door = Door()
    app.middlewares.insert(0, door.noted)
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN_SECONDS,
        keepalive_timeout=IDLE_SECONDS,
    )
    await runner.setup()
    assert runner.server
    letting_in, loop = partial(door.protocol, runner.server), asyncio.get_running_loop()
    try:
        if socket:
            # To asyncio, a connection that finds this queue full looks made; it breaks at its first write.
            listening = await loop.create_unix_server(letting_in, str(socket), backlog=MOST)
        else:
            listening = await loop.create_server(letting_in, host, port, backlog=BACKLOG)
    except OSError as error:
        await runner.cleanup()
        raise MachineError(
            f"cannot listen at {socket or f'{host}:{port}'}: {error.strerror or error}; name another"
        ) from None
    ready()
    try:
        await asyncio.Event().wait()
    finally:
        listening.close()
        await runner.cleanup()
