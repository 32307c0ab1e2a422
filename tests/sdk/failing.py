"""A FastAPI service that fails in every way, in a process of its own; tests plant strings in its requests."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse

import otelkit

app = FastAPI()
log = logging.getLogger("shop")


def who(scope: dict[str, Any]) -> dict[str, Any]:
    headers = dict(scope["headers"])
    consent = headers.get(b"x-consent", b"").decode()
    return {"user_id": headers.get(b"x-user", b"").decode() or None, "consent": consent.split() or None}


otelkit.init(app, service="shop", environment="test", session=who, log_file=os.environ.get("TEST_LOG"))


def planted(request: Request) -> str:
    """What a stranger wrote, in a local variable of whoever asks."""
    return request.headers.get("x-planted", "nothing")


@otelkit.traced_tool
async def find(order: str) -> None:
    secret_local = order.upper()
    raise LookupError(f"order of {order} is lost {secret_local}")


@app.get("/unhandled/{number}")
async def unhandled(number: int, request: Request) -> None:
    local_variable = planted(request)
    raise ValueError(f"the order of {local_variable} is broken")


@app.get("/tool/{number}")
async def tool(number: int, request: Request) -> None:
    await find(planted(request))


@app.get("/caught/{number}")
async def caught(number: int, request: Request) -> dict[str, str]:
    try:
        await find(planted(request))
    except LookupError:
        log.exception("could not find %s", planted(request), extra={"customer": planted(request)})
    return {}


@app.get("/logged/{number}")
async def logged(number: int, request: Request) -> dict[str, str]:
    log.info("a breadcrumb of %s", planted(request))
    log.error("payment of %s refused", planted(request), extra={"customer": planted(request)})
    log.error(f"payment of {planted(request)} refused")
    return {}


@app.get("/chained/{number}")
async def chained(number: int, request: Request) -> None:
    try:
        int(planted(request))
    except ValueError as error:
        raise RuntimeError("no such order") from error


@app.get("/message/{number}")
async def message(number: int, request: Request) -> dict[str, str]:
    otelkit.capture_message(f"the stock of {planted(request)} is low", level="warning", left=3)
    return {}


@app.get("/session/{number}")
async def in_a_session(number: int, request: Request) -> None:
    consent = request.headers.get("x-inner-consent", "").split()
    with otelkit.session(user_id="u-inner", consent=consent):
        raise KeyError(planted(request))


@app.get("/later/{number}")
async def later(number: int, request: Request, tasks: BackgroundTasks) -> dict[str, str]:
    tasks.add_task(find, planted(request))
    return {}


@app.get("/stream/{number}")
async def stream(number: int, request: Request) -> StreamingResponse:
    async def body() -> AsyncIterator[str]:
        yield "x"
        raise OSError(f"the stream of {planted(request)} broke")

    return StreamingResponse(body())


@app.get("/refused/{number}")
async def refused(number: int) -> None:
    raise HTTPException(403, "no")


@app.get("/thread/{number}")
async def thread(number: int, request: Request) -> None:
    with ThreadPoolExecutor() as pool:
        await asyncio.get_running_loop().run_in_executor(pool, otelkit.bind(_work), planted(request))


def _work(order: str) -> None:
    raise TimeoutError(f"no answer for {order}")


@app.get("/pid")
async def pid() -> dict[str, int]:
    return {"pid": os.getpid()}


@app.get("/flush")
async def flush() -> dict[str, bool]:
    return {"flushed": await asyncio.to_thread(otelkit.flush, 10.0)}
