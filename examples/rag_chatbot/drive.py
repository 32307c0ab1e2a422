"""Drives the chatbot as a few users would: the same conversations for the same seed.

The module stands alone, so that `otelkit demo` can load it from its file without the service and its settings.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

EVERYTHING = "analytics.usage_patterns,analytics.performance,analytics.error_reports"
AT_ONCE = 4
"""Conversations at the same time."""
TIMEOUT = 60.0

USERS: Sequence[tuple[str, str, str]] = (
    ("ada", "northwind", EVERYTHING),
    ("ben", "northwind", EVERYTHING),
    ("chloe", "northwind", "analytics.usage_patterns"),
    ("dan", "northwind", ""),
    ("eva", "globex", EVERYTHING),
    ("finn", "globex", EVERYTHING),
    ("gita", "acme", EVERYTHING),
    ("hugo", "acme", ""),
)
"""Name, group, and what may be recorded: two have consented to nothing."""
UNLUCKY = ("ivan", "initech", EVERYTHING)
"""His group's model was withdrawn: every answer fails."""

DOCS = (
    "What is redacted before telemetry leaves the service?",
    "How do I start otelkit in a FastAPI service?",
    "Which decorators are there for tools and retrieval?",
    "How long does the server keep raw events?",
    "What happens when the backend is down?",
    "How is the cost of a model call worked out?",
    "Which metrics does otelkit record for LLM tokens?",
    "How are user ids protected?",
    "What does the otelkit server store?",
    "Can I send traces to an OpenTelemetry Collector?",
)
ORDERS = ("Where is order {}?", "Can you check order {} for me?", "What is the status of order number {}?")
SUMS = ("How much is 15% of 240?", "What is 128 * 7 + 19?", "How much is 3 times 49 plus 12?", "What is 8% of 1250?")
HOURS = ("Are you open on Saturday?", "When do you close on Friday?", "Which hours are you open on Monday?")
LONG = "Please read all of this before you answer. " * 60
"""Over the limit of the service: refused with 422."""

THEMES = ("docs", "order", "sum", "docs", "mixed", "hours", "missing", "docs", "archive", "impossible", "docs", "order")
"""What conversations begin with, in turn; `missing` and `impossible` make a tool fail, `archive` makes one slow."""


@dataclass(frozen=True)
class Turn:
    """One message; `rating` is the feedback for its answer, 0 for none."""

    message: str
    stream: bool = True
    rating: int = 0


@dataclass(frozen=True)
class Conversation:
    """The messages of one user in one conversation."""

    id: str
    user: str
    group: str
    consent: str
    turns: tuple[Turn, ...]

    def headers(self) -> dict[str, str]:
        """Who asks, as the service reads it."""
        return {"x-user": self.user, "x-group": self.group, "x-consent": self.consent}


@dataclass
class DriveReport:
    """What was sent and what came back."""

    conversations: int = 0
    messages: int = 0
    answers: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    """Messages without an answer, by the error's name or HTTP status."""
    feedback: int = 0
    flagged: int = 0
    """Answers somebody wants to have looked at."""
    streamed: int = 0
    tools: Counter[str] = field(default_factory=Counter)
    """Tool calls by name, as the answers report them."""
    messages_by_group: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def conversations(n: int, seed: int = 1) -> list[Conversation]:
    """`n` conversations; the same for the same seed."""
    drawn = random.Random(seed)  # noqa: S311  (repeatable, not secret)
    return [_conversation(f"c-{seed}-{number:03d}", number, drawn) for number in range(n)]


def _conversation(id: str, number: int, drawn: random.Random) -> Conversation:
    unlucky = number % 16 == 9
    user, group, consent = UNLUCKY if unlucky else drawn.choice(USERS)
    themes = [THEMES[number % len(THEMES)], *drawn.choices(THEMES, k=0 if unlucky else drawn.randint(0, 3))]
    messages = [_message(theme, drawn) for theme in themes]
    if number % 20 == 13:
        messages[-1] = LONG
    elif len(messages) > 2:
        messages[-1] = "Thank you!"
    turns = (Turn(text, drawn.random() < 0.8, drawn.choice((0, 0, 0, 1, 1, -1))) for text in messages)
    return Conversation(id, user, group, consent, tuple(turns))


def _message(theme: str, drawn: random.Random) -> str:
    match theme:
        case "order":
            return drawn.choice(ORDERS).format(drawn.randint(4101, 4140))
        case "archive":
            return drawn.choice(ORDERS).format(drawn.randint(1001, 1020))
        case "missing":
            return drawn.choice(ORDERS).format(drawn.randint(9001, 9999))
        case "sum":
            return drawn.choice(SUMS)
        case "impossible":
            return f"How much is {drawn.randint(2, 99)} / 0?"
        case "mixed":
            return f"Where is order {drawn.randint(4101, 4140)}, and how much is 20% of {drawn.randint(50, 500)}?"
        case "hours":
            return drawn.choice(HOURS)
        case _:
            return drawn.choice(DOCS)


async def run(
    base_url: str, conversations: Sequence[Conversation], progress: Callable[[int, int], None]
) -> DriveReport:
    """Hold the conversations, a few at a time; `progress` gets how many are over, and of how many."""
    report = DriveReport(conversations=len(conversations))
    gate = asyncio.Semaphore(AT_ONCE)
    started = time.perf_counter()
    over = 0

    async def hold(conversation: Conversation) -> None:
        nonlocal over
        async with gate:
            for turn in conversation.turns:
                await _take(client, conversation, turn, report)
        over += 1
        progress(over, len(conversations))

    # The machine's proxy settings are not for a service on this machine.
    async with httpx2.AsyncClient(base_url=base_url, timeout=TIMEOUT, trust_env=False) as client:
        await asyncio.gather(*map(hold, conversations))
    report.seconds = time.perf_counter() - started
    return report


async def _take(client: httpx2.AsyncClient, conversation: Conversation, turn: Turn, report: DriveReport) -> None:
    report.messages += 1
    report.streamed += turn.stream
    report.messages_by_group[conversation.group] += 1
    body = {"message": turn.message, "conversation_id": conversation.id, "stream": turn.stream}
    async with client.stream("POST", "/chat", json=body, headers=conversation.headers()) as response:
        content = (await response.aread()).decode()
    last = _last_event(response.status_code, content, turn.stream)
    if last["type"] != "done":
        report.errors[last["error"]] += 1
        return
    report.answers += 1
    report.tools.update(last["tools"])
    if turn.rating:
        rated = {"conversation_id": conversation.id, "message_id": last["message_id"], "rating": turn.rating}
        answer = await client.post("/feedback", json=rated, headers=conversation.headers())
        report.feedback += answer.is_success
        report.flagged += answer.is_success and turn.rating < 0


def _last_event(status: int, content: str, stream: bool) -> Mapping[str, Any]:
    if status != 200:
        return {"type": "error", "error": str(status)}
    events = list(_events(content)) if stream else [json.loads(content)]
    return events[-1] if events else {"type": "error", "error": "nothing"}


def _events(content: str) -> Iterator[dict[str, Any]]:
    for line in content.splitlines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))
