"""The service: a chat page, `POST /chat`, `POST /feedback`, `GET /health`.

Run it with `uvicorn rag_chatbot.app:app --app-dir examples`; `OPENAI_BASE_URL` and `OPENAI_API_KEY` say whom it asks.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import openai
from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.responses import Response

import otelkit

from . import llm
from .agent import Assistant
from .memory import Conversations
from .retrieval import Handbook

log = logging.getLogger(__name__)
logging.getLogger(__package__).setLevel(logging.INFO)

PAGE = Path(__file__).with_name("page.html")
CHECKOUT = Path(__file__).parents[2]
Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.@-]+$")]


class ChatMessage(BaseModel):
    """The body of `POST /chat`. Who asks normally comes in headers; the body's values win."""

    message: Annotated[str, Field(min_length=1, max_length=2000)]
    conversation_id: Name | None = None
    user: Name | None = None
    group: Name | None = None
    stream: bool = True


class Feedback(BaseModel):
    """The body of `POST /feedback`: thumbs up (1) or down (−1) for an answer."""

    conversation_id: Name
    message_id: Name
    rating: Literal[1, -1]


@dataclass(frozen=True)
class Visitor:
    """Who asks, as a gateway in front of the service would say in headers."""

    user: str | None
    group: str | None
    consent: tuple[str, ...]

    @classmethod
    def of(cls, headers: Headers) -> Visitor:
        """Read `x-user`, `x-group` and `x-consent` (categories, separated by commas)."""
        categories = tuple(part.strip() for part in headers.get("x-consent", "").split(",") if part.strip())
        return cls(headers.get("x-user"), headers.get("x-group"), categories)


def session_of(scope: dict[str, Any]) -> dict[str, Any]:
    """Tells otelkit, for each request, whose it is and what may be recorded of it."""
    visitor = Visitor.of(Headers(scope=scope))
    return {"user_id": visitor.user, "group_id": visitor.group, "consent": visitor.consent}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the handbook and the client when the service starts."""
    async with openai.AsyncOpenAI(max_retries=2, timeout=60) as client:
        app.state.client = client
        app.state.handbook = Handbook.of_project(CHECKOUT)
        app.state.conversations = Conversations()
        log.info("ready with %d passages", len(app.state.handbook))
        yield


app = FastAPI(title="Handbook assistant", lifespan=lifespan)
otelkit.init(app, service="rag-chatbot", session=session_of)
otelkit.budget("POST /chat", p95="10s", tokens=20_000)
thumbs = otelkit.counter("feedback.thumbs", unit="1", description="Answers rated by their readers")


@app.get("/", include_in_schema=False)
async def page() -> FileResponse:
    """The chat page."""
    return FileResponse(PAGE)


@app.get("/health")
async def health() -> dict[str, Any]:
    """Whether the service can answer."""
    return {"status": "ok", "passages": len(app.state.handbook)}


@app.post("/chat")
async def chat(body: ChatMessage, request: Request) -> Response:
    """Answer a message: as `text/event-stream` while it is made, or at once as JSON with `"stream": false`."""
    visitor = Visitor.of(request.headers)
    conversation_id = body.conversation_id or f"c-{uuid.uuid4().hex[:12]}"
    group = body.group or visitor.group
    user = body.user or visitor.user
    consent = visitor.consent if user == visitor.user else ()  # who speaks for another cannot consent for them
    with otelkit.session(user_id=user, group_id=group, conversation_id=conversation_id, consent=consent):
        if not app.state.conversations.knows(conversation_id):
            otelkit.track("conversation.created", conversation_id=conversation_id)
        otelkit.track(
            "chat.message_sent",
            conversation_id=conversation_id,
            message_length=len(body.message),
            streaming=body.stream,
        )
        exchange = Exchange(conversation_id, body.message, llm.MODELS.get(group or "", llm.DEFAULT_MODEL))
        if body.stream:
            # The task starts inside the session and takes it along; the response only passes on what it says.
            return StreamingResponse(told_by(exchange.run), media_type="text/event-stream")
        events: list[dict[str, Any]] = []
        await exchange.run(events.append)
    last = events[-1]
    if last["type"] == "error":
        raise HTTPException(502, last["message"])
    return Response(json.dumps(last), media_type="application/json")


@app.post("/feedback", status_code=204)
async def feedback(body: Feedback, request: Request, later: BackgroundTasks) -> None:
    """Take thumbs up or down for an answer."""
    if not app.state.conversations.knows(body.conversation_id):
        raise HTTPException(404, "There is no such conversation.")
    visitor = Visitor.of(request.headers)
    with otelkit.session(
        user_id=visitor.user, group_id=visitor.group, conversation_id=body.conversation_id, consent=visitor.consent
    ):
        if body.rating < 0:
            await flag(body.message_id)
        otelkit.track("feedback.given", rating=body.rating, target="answer", conversation_id=body.conversation_id)
        thumbs.add(1, {"direction": "up" if body.rating > 0 else "down"})
        log.info("feedback %+d for %s", body.rating, body.message_id)
    later.add_task(pass_on, body.rating)


async def flag(message_id: str) -> None:
    """Note that somebody wants an answer looked at; what is not in the audit trail has not happened."""
    try:
        await asyncio.to_thread(otelkit.audit, "answer.flagged", target=f"message:{message_id}")
    except otelkit.AuditError as error:
        log.error("an answer was not flagged: %s", error)
        raise HTTPException(503, "That could not be recorded. Please try again.") from error


async def pass_on(rating: int) -> None:
    """Tell the team's board of a rating, after the answer: a job of its own on the page, linked to its request."""
    async with otelkit.sync("feedback-board"):
        await asyncio.sleep(0.02 if rating > 0 else 0.12)  # there is no board: it only takes its time


@dataclass(frozen=True)
class Exchange:
    """One message and its answer."""

    conversation_id: str
    message: str
    model: str

    async def run(self, emit: Callable[[dict[str, Any]], None]) -> None:
        """Answer, and end with one event: `done`, or `error` where the model could not be asked."""
        conversations: Conversations = app.state.conversations
        history = conversations.history(self.conversation_id)
        assistant = Assistant(app.state.client, app.state.handbook, self.model, history, emit)
        try:
            answer = await assistant.answer(self.message)
        except openai.APIError as error:
            log.exception("no answer from the model")
            otelkit.track("error.occurred", error_type=type(error).__name__, endpoint="/chat", origin="auto")
            emit({"type": "error", "message": "The assistant cannot answer just now.", "error": type(error).__name__})
            return
        conversations.add(self.conversation_id, self.message, answer)
        emit(
            {
                "type": "done",
                "answer": answer,
                "conversation_id": self.conversation_id,
                "message_id": f"m-{uuid.uuid4().hex[:12]}",
                "model": self.model,
                "tools": assistant.used_tools,
                "sources": [{"id": p.id, "title": p.title, "score": p.score} for p in assistant.sources],
            }
        )


def told_by(run: Callable[[Callable[[dict[str, Any]], None]], Coroutine[Any, Any, None]]) -> AsyncIterator[str]:
    """Start the task now; its events come as server-sent events, and a reader who leaves stops it."""
    events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    task = asyncio.create_task(run(events.put_nowait))
    task.add_done_callback(lambda _: events.put_nowait(None))
    return _lines(events, task)


async def _lines(events: asyncio.Queue[dict[str, Any] | None], task: asyncio.Task[None]) -> AsyncIterator[str]:
    try:
        while (event := await events.get()) is not None:
            yield f"data: {json.dumps(event)}\n\n"
        await task
    finally:
        task.cancel()
