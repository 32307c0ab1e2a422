"""A small FastAPI service that tests start in processes of their own; what it does is asked for by path."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator

from fastapi import BackgroundTasks, FastAPI, HTTPException, WebSocket
from fastapi.responses import StreamingResponse

import otelkit

app = FastAPI()
log = logging.getLogger("shop")

if os.environ.get("SERVICE_INIT", "yes") == "yes":  # with `otelkit run` there is no such line
    otelkit.init(
        app,
        service="shop",
        session=lambda scope: {
            "user_id": dict(scope["headers"]).get(b"x-user", b"").decode() or None,
            "group_id": "acme",
            "consent": ["analytics.usage_patterns"],
        },
    )


@otelkit.traced_tool(integration="orders", action="find")
async def find_order(number: int) -> dict[str, int]:
    return {"number": number}


@otelkit.traced_retrieval(data_source="handbook")
def search(query: str) -> list[dict[str, float]]:
    return [{"id": 1, "score": 0.5}]


@app.get("/orders/{number}")
async def order(number: int) -> dict[str, int]:
    log.info("looking for order %d", number)
    return await find_order(number)


@app.get("/answer")
async def answer() -> dict[str, str]:
    search("q")
    with otelkit.traced_llm("gpt-4o-mini", provider="openai") as step:
        step.record_usage(input_tokens=1000, output_tokens=100, cached_tokens=400)
        step.record_response(model="gpt-4o-mini-2024-07-18", id="r-1", finish_reasons=["stop"])
    otelkit.track("feedback.given", rating=1, comment="call me at +49 170 1234567")
    return {"answer": "yes"}


@app.get("/stream")
async def stream() -> StreamingResponse:
    async def body() -> AsyncIterator[str]:
        for _ in range(3):
            await asyncio.sleep(0.1)
            yield "x"

    return StreamingResponse(body())


@app.get("/boom")
async def boom() -> None:
    raise ValueError("user jane@example.com has key sk-proj-abcdefghijklmnopqrstuvwxyz123456")


@otelkit.traced_tool
async def fail(number: int) -> None:
    raise LookupError(f"order {number} is not there")


@app.get("/handled/{number}")
async def handled(number: int) -> dict[str, bool]:
    try:
        with otelkit.traced_workflow("both"):
            await fail(number)
    except LookupError:
        log.exception("order %d could not be found", number)
    return {"found": False}


@app.get("/fails/{number}")
async def fails(number: int) -> None:
    await fail(number)


@app.get("/refused")
async def refused() -> None:
    raise HTTPException(403, "no")


@app.get("/refused/{status}")
async def refused_with(status: int) -> None:
    raise HTTPException(status, "no")


@app.get("/guarded/{project}")
async def guarded(project: int) -> None:
    otelkit.security_event("permission.denied", user="u-99", reason="not_a_member", role="guest", why="Ada said no")
    raise HTTPException(403, "no")


@app.get("/later")
async def later(tasks: BackgroundTasks) -> dict[str, str]:
    tasks.add_task(find_order, 7)
    return {"ok": "yes"}


@app.get("/block")
async def block() -> None:
    time.sleep(0.8)  # what a handler must not do


@app.get("/pid")
async def pid() -> dict[str, int]:
    return {"pid": os.getpid()}


@app.get("/flush")
async def flush() -> dict[str, bool]:
    return {"flushed": await asyncio.to_thread(otelkit.flush, 5.0)}


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    await socket.accept()
    while True:  # until the client goes, which receive_text raises
        await socket.send_text(await socket.receive_text())


@app.websocket("/closed/{room}")
async def closed(socket: WebSocket, room: str) -> None:
    await socket.close(1008)


@app.websocket("/ws/{room}")
async def ws(socket: WebSocket, room: str) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close(4000)
