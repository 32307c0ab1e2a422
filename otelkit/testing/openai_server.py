"""A local, deterministic stand-in for OpenAI's HTTP API, for tests and demos.

```python
with OpenAIServer(latency=0) as server:
    client = openai.OpenAI(base_url=server.base_url, api_key="any")
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hello"}])
    assert server.ledger[-1].prompt_tokens > 0
```

- `POST /v1/chat/completions`: plain and streamed, tools, `n`, `max_tokens`, `stop`, JSON output,
  `stream_options.include_usage`. What it says is scripted (`openai_brain`); how it counts tokens is in `openai_tokens`;
  prompts of 1024 tokens and more are cached by prefix, reasoning models think (`openai_completion`).
- `POST /v1/embeddings`: unit vectors in which texts that share words are near one another; `dimensions`, `float` and
  `base64`.
- `GET /v1/models`, `GET /v1/models/{id}`, and `GET /ledger`: every request with what it cost, which the telemetry of a
  client has to agree with.
- Errors in the real API's shape: 401 without a key, 400 for an invalid body, 404 for an unknown model. Rate limits,
  server errors, slow answers and cut streams on request: `openai_faults`.

Identical requests get identical answers, and waits of the same length: they follow from a hash of the body, and are
multiplied by `latency`.
`python -m otelkit.testing.openai_server --port 8089` serves it alone. It needs `starlette` and `uvicorn`
(`pip install 'otelkit[server]'`).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import math
import socket
import struct
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, cast

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from otelkit.testing.openai_completion import SNAPSHOTS, Completion, PromptCache, complete
from otelkit.testing.openai_faults import CUT_AFTER, HEADER, SLOW_SECONDS, Fault, Faults
from otelkit.testing.openai_ledger import Ledger, LedgerEntry, OpenEntry
from otelkit.testing.openai_request import (
    ApiError,
    ChatRequest,
    EmbeddingRequest,
    body_of,
    chat_request,
    embedding_request,
)
from otelkit.testing.openai_tokens import count, pieces

EMBEDDING_MODELS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
"""Embedding models and the length of their vectors."""
MORE_MODELS = ("acme-support-ft",)
"""Chat models no price list knows."""
RETRY_AFTER = 0.6
"""Seconds a refused client is asked to wait, before `latency`."""
START_SECONDS = 10.0
STOP_SECONDS = 5.0

_Endpoint = Callable[[Request, OpenEntry], Coroutine[Any, Any, Response]]


class OpenAIServer:
    """The stand-in: an ASGI app (`app`), and a thread that serves it on a free port of 127.0.0.1 while it is started.

    `latency` scales realistic waits (0: none). `api_key` accepts only that key (default: any). `models` adds names of
    chat models. `every` makes each so-many-th request fail, for instance `{"rate_limit": 17}` (see `openai_faults`).
    """

    def __init__(
        self,
        *,
        latency: float = 1.0,
        api_key: str | None = None,
        models: Iterable[str] = (),
        every: Mapping[str, int] | None = None,
        port: int = 0,
    ) -> None:
        self.app = create_app(_StandIn(latency, api_key, models, Faults(every), ledger := Ledger()))
        self._ledger = ledger
        self._wanted_port = port
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def base_url(self) -> str:
        """What `OPENAI_BASE_URL` has to be, ending in `/v1`. Raises RuntimeError while the server is not started."""
        if not self._port:
            raise RuntimeError("the server is not started")
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def ledger(self) -> tuple[LedgerEntry, ...]:
        """Every request that is over, in order of arrival."""
        return self._ledger.entries()

    def start(self) -> None:
        """Serve in a background thread; returns when requests are accepted. Does nothing when already started.

        Raises OSError when the port is taken.
        """
        if self._thread is not None:
            return
        listening = socket.create_server(("127.0.0.1", self._wanted_port))
        # No log configuration: the process's own logging stays as it is.
        config = uvicorn.Config(self.app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._port = listening.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, args=([listening],), name="openai-stand-in", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                self.stop()
                raise RuntimeError("the stand-in did not start")
            time.sleep(0.005)

    def stop(self) -> None:
        """Stop serving and wait for the thread; the ledger stays readable. Does nothing when not started."""
        if self._thread is None or self._server is None:
            return
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self._thread, self._server, self._port = None, None, 0

    def __enter__(self) -> OpenAIServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _StandIn:
    """The state behind the routes."""

    def __init__(
        self, latency: float, api_key: str | None, models: Iterable[str], faults: Faults, ledger: Ledger
    ) -> None:
        self.latency = latency
        self.api_key = api_key
        self.chat_models = [*SNAPSHOTS, *MORE_MODELS, *models]
        self.faults = faults
        self.ledger = ledger
        self.cache = PromptCache()

    def authorize(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise ApiError(401, "No API key: send it as 'Authorization: Bearer KEY'.")
        if self.api_key is not None and key.strip() != self.api_key:
            raise ApiError(401, "The API key is not valid.", code="invalid_api_key")

    def known(self, model: str, models: Iterable[str]) -> None:
        if model not in models:
            raise ApiError(404, f"The model '{model}' does not exist here.", code="model_not_found", param="model")

    def fault(self, request: Request, metadata: Mapping[str, object], text: str, entry: OpenEntry) -> Fault | None:
        try:
            return self.faults.choose(
                header=request.headers.get(HEADER), metadata=metadata, text=text, sequence=entry.entry.sequence
            )
        except ValueError as error:
            raise ApiError(400, str(error), param="fault") from None

    def refuse(self, fault: Fault | None, digest: str) -> None:
        if self.faults.refuses(fault, "rate_limit", digest):
            seconds = RETRY_AFTER * self.latency
            wait = {"retry-after": str(math.ceil(seconds) or 1), "retry-after-ms": str(max(20, int(seconds * 1000)))}
            raise ApiError(429, "Too many requests.", type="requests", code="rate_limit_exceeded", headers=wait)
        if self.faults.refuses(fault, "server_error", digest):
            raise ApiError(500, "The server had an error with this request.", type="server_error")

    async def first_token(self, request: ChatRequest, completion: Completion, fault: Fault | None) -> None:
        """Wait as a model does to read the prompt and think: 0.15 to 0.5 s and 0.1 ms a token, times `latency`."""
        seeded = 0.15 + 0.35 * int(request.digest[8:12], 16) / 0xFFFF
        reading = (completion.prompt_tokens - completion.cached_tokens) * 0.0001
        seconds = self.latency * (seeded + reading + completion.reasoning_tokens * 0.004)
        if fault is not None and fault.kind == "slow_first_token":
            seconds += SLOW_SECONDS if fault.amount is None else fault.amount
        await asyncio.sleep(seconds)

    def token_seconds(self, model: str) -> float:
        """Wait for one more token: small models are twice as fast as large ones."""
        return self.latency * (0.009 if "mini" in model or "nano" in model else 0.018)

    async def chat(self, http: Request, entry: OpenEntry) -> Response:
        body = body_of(await http.body())
        entry.update(model=str(body.get("model") or ""), stream=body.get("stream") is True)
        request = chat_request(body)
        self.known(request.model, self.chat_models)
        fault = self.fault(http, request.metadata or {}, request.question, entry)
        self.refuse(fault, request.digest)
        completion = complete(request, sequence=entry.entry.sequence, created=int(time.time()), cache=self.cache)
        entry.update(
            response_model=completion.model,
            response_id=completion.id,
            prompt_tokens=completion.prompt_tokens,
            cached_tokens=completion.cached_tokens,
        )
        if request.stream:
            return _EventStream(self.events(request, completion, fault, entry))
        await self.first_token(request, completion, fault)
        await asyncio.sleep(self.token_seconds(request.model) * sum(choice.tokens for choice in completion.choices))
        entry.write(**_counts(completion), usage_reported=True)
        return JSONResponse(completion.body())

    async def events(
        self, request: ChatRequest, completion: Completion, fault: Fault | None, entry: OpenEntry
    ) -> AsyncGenerator[bytes, None]:
        """The lines of a stream. Its entry is written before the last one, or with what there was when it broke off."""
        cut_after = _cut_after(fault)
        produced = completion.reasoning_tokens
        try:
            await self.first_token(request, completion, fault)
            chunks = list(completion.chunks(request.include_usage))
            for place, (chunk, tokens) in enumerate(chunks):
                if place == cut_after:
                    entry.write(**_counts(completion, produced), ended="cut")
                    raise _Cut
                await asyncio.sleep(self.token_seconds(request.model) * tokens)
                produced += tokens
                if place == len(chunks) - 1:
                    entry.write(**_counts(completion), usage_reported=request.include_usage)
                yield _event(chunk)
            yield b"data: [DONE]\n\n"
        finally:
            entry.write(**_counts(completion, produced), ended="closed")

    async def embeddings(self, http: Request, entry: OpenEntry) -> Response:
        body = body_of(await http.body())
        entry.update(model=str(body.get("model") or ""))
        request = embedding_request(body)
        self.known(request.model, EMBEDDING_MODELS)
        fault = self.fault(http, {}, request.inputs[-1], entry)
        self.refuse(fault, request.digest)
        tokens = sum(
            count(text) if given is None else given
            for text, given in zip(request.inputs, request.token_counts, strict=True)
        )
        await asyncio.sleep(self.latency * (0.03 + 0.0001 * tokens))
        entry.write(response_model=request.model, prompt_tokens=tokens, usage_reported=True)
        data = [
            {"object": "embedding", "index": index, "embedding": _embedding(text, request)}
            for index, text in enumerate(request.inputs)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse({"object": "list", "data": data, "model": request.model, "usage": usage})

    async def models(self, http: Request) -> Response:
        try:
            self.authorize(http)
            wanted = http.path_params.get("model")
            names = [*self.chat_models, *EMBEDDING_MODELS]
            if wanted is not None:
                self.known(wanted, names)
        except ApiError as error:
            return _refusal(error)
        described = [{"id": name, "object": "model", "created": 0, "owned_by": "stand-in"} for name in names]
        if wanted is not None:
            return JSONResponse(next(model for model in described if model["id"] == wanted))
        return JSONResponse({"object": "list", "data": described})

    async def show_ledger(self, http: Request) -> Response:
        return JSONResponse(self.ledger.as_json())

    def recorded(self, operation: str, endpoint: _Endpoint) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint with its authorization, and with whatever becomes of a request in the ledger."""

        async def handle(http: Request) -> Response:
            sequence = self.ledger.arrive()
            entry = OpenEntry(self.ledger, LedgerEntry(sequence, operation, model=""))
            try:
                self.authorize(http)
                response = await endpoint(http, entry)
            except ApiError as error:
                entry.write(status=error.status, error=error.code or error.type)
                response = _refusal(error)
            except Exception:
                entry.write(status=500, error="internal")
                raise
            except asyncio.CancelledError:
                entry.write(ended="closed")
                raise
            response.headers["x-request-id"] = f"req_{sequence:06d}"
            return response

        return handle


def create_app(stand_in: _StandIn) -> Starlette:
    """The routes as an ASGI app."""
    return Starlette(
        routes=[
            Route("/v1/chat/completions", stand_in.recorded("chat", stand_in.chat), methods=["POST"]),
            Route("/v1/embeddings", stand_in.recorded("embeddings", stand_in.embeddings), methods=["POST"]),
            Route("/v1/models", stand_in.models),
            Route("/v1/models/{model}", stand_in.models),
            Route("/ledger", stand_in.show_ledger),
        ]
    )


class _Cut(Exception):
    """The stream ends here without its end."""


class _EventStream(StreamingResponse):
    """A stream of events that can be cut: the connection then closes with the body incomplete."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"cache-control": "no-cache"})

    async def stream_response(self, send: Send) -> None:
        events = cast("AsyncGenerator[bytes, None]", self.body_iterator)
        try:
            await super().stream_response(send)
        except _Cut:
            # Returning without a last body message makes the server close the connection.
            return
        finally:
            # A client that leaves must not leave its entry open until the generator is collected.
            await events.aclose()


def _cut_after(fault: Fault | None) -> int | None:
    if fault is None or fault.kind != "cut":
        return None
    return CUT_AFTER if fault.amount is None else int(fault.amount)


def _counts(completion: Completion, produced: int | None = None) -> dict[str, Any]:
    """Ledger fields of an answer; of one that broke off, with the tokens produced until then and no finish reasons."""
    whole = produced is None
    return {
        "completion_tokens": completion.completion_tokens if whole else produced,
        "reasoning_tokens": completion.reasoning_tokens,
        "finish_reasons": completion.finish_reasons if whole else (),
    }


def _event(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def _refusal(error: ApiError) -> JSONResponse:
    return JSONResponse(error.body, status_code=error.status, headers=error.headers)


def _embedding(text: str, request: EmbeddingRequest) -> list[float] | str:
    size = request.dimensions or EMBEDDING_MODELS[request.model]
    vector = vector_of(text, size)
    if not request.base64:
        return vector
    return base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()


def vector_of(text: str, size: int) -> list[float]:
    """A unit vector for a text: each of its tokens, whatever its case, adds to eight places drawn from its hash."""
    vector = [0.0] * size
    for piece in pieces(text):
        drawn = hashlib.blake2b(piece.strip().lower().encode(), digest_size=32).digest()
        for place in range(0, 32, 4):
            number = int.from_bytes(drawn[place : place + 4], "big")
            vector[(number >> 1) % size] += 1.0 if number & 1 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        # Tokens that cancel out would leave no direction at all.
        vector[0] = length = 1.0
    return [value / length for value in vector]


def main(arguments: list[str] | None = None) -> None:
    """Serve the stand-in until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m otelkit.testing.openai_server", description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 in a container (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8089)
    parser.add_argument("--latency", type=float, default=1.0, help="factor on the waits; 0 for none")
    parser.add_argument(
        "--every", action="append", default=[], metavar="KIND=N", help="let every Nth request meet a fault"
    )
    options = parser.parse_args(arguments)
    try:
        every = {kind: int(gap) for kind, _, gap in (item.partition("=") for item in options.every)}
        server = OpenAIServer(latency=options.latency, every=every)
    except ValueError as error:
        parser.error(str(error))
    uvicorn.run(server.app, host=options.host, port=options.port, log_level="warning", access_log=False, lifespan="off")


if __name__ == "__main__":
    main()
