"""Made-up telemetry: two hours of a library's assistant, to look around in before a service of one's own sends any.

Everything is marked ``deployment.environment.name = demo`` and comes from services called ``demo-…``. The same
moment gives the same records, and ids depend on the day only: what is loaded twice in a day is stored once.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from otelkit.model import LogRecord, Resource, Scope, Span, SpanEvent, SpanKind, StatusCode
from otelkit.semconv.attributes import Core, Database, GenAI, Otelkit

__all__ = ["ENVIRONMENT", "PEOPLE", "SERVICES", "Demo", "demo", "sample"]

ENVIRONMENT: Final = "demo"
SERVICES: Final = "demo-"  # how their names begin
PEOPLE: Final = "demo-reader-"
_MINUTES: Final = 118
_EPISODE: Final = (0.78, 0.9)  # shares of the time between which the catalogue does not answer
_NS: Final = 1_000_000_000
_DAY: Final = 86_400
_SCOPE: Final = Scope("otelkit.demo")
_OVERLOADED: Final = "the catalogue did not answer within 4.0 s"


class _Model(NamedTuple):
    provider: str
    name: str
    first: float  # seconds to the first token
    talk: float  # seconds of the answer


_MODELS: Final = (
    *[_Model("openai", "gpt-4o-mini", 0.3, 1.3)] * 6,
    *[_Model("anthropic", "claude-sonnet-4-5", 0.7, 3.1)] * 3,
    _Model("local", "demo-llama", 0.9, 2.4),  # nobody has set a price for it
)
_CODE: Final = "/srv/demo/assistant"
_LIBRARY: Final = "/usr/lib/python3/dist-packages"


def _stack(raised: str, *frames: tuple[str, int, str, str]) -> str:
    """A traceback as Python writes it: file, line, function and code of each call."""
    told = [f'  File "{file}", line {line}, in {name}\n    {code}\n' for file, line, name, code in frames]
    return f"Traceback (most recent call last):\n{''.join(told)}{raised}\n"


_TIMEOUT: Final = {
    Core.EXCEPTION_TYPE: "TimeoutError",
    Core.EXCEPTION_MESSAGE: _OVERLOADED,
    Core.EXCEPTION_STACKTRACE: _stack(
        "catalogue.ReadTimeout: timed out",
        (f"{_CODE}/catalogue.py", 38, "look_up", "answer = await client.get(path, timeout=4.0)"),
        (f"{_LIBRARY}/catalogue/client.py", 211, "get", "raise ReadTimeout('timed out')"),
    )
    + "\nThe above exception was the direct cause of the following exception:\n\n"
    + _stack(
        f"TimeoutError: {_OVERLOADED}",
        (f"{_CODE}/tools.py", 17, "search_catalogue", "return await look_up(title)"),
        (
            f"{_CODE}/catalogue.py",
            40,
            "look_up",
            "raise TimeoutError(f'the catalogue did not answer within {limit} s')",
        ),
    ),
}
_LIMITED: Final = {
    Core.EXCEPTION_TYPE: "openai.RateLimitError",
    Core.EXCEPTION_MESSAGE: "Error code: 429 - tokens per minute: limit 200000, used 199412",
    Core.EXCEPTION_STACKTRACE: _stack(
        "openai.RateLimitError: Error code: 429 - tokens per minute: limit 200000, used 199412",
        (f"{_CODE}/answers.py", 64, "answer", "stream = await client.chat.completions.create(**call)"),
        (
            f"{_LIBRARY}/openai/_base_client.py",
            1605,
            "request",
            "raise self._make_status_error_from_response(response)",
        ),
    ),
}
_BROKEN: Final = {
    Core.EXCEPTION_TYPE: "KeyError",
    Core.EXCEPTION_MESSAGE: "'shelf'",
    Core.EXCEPTION_STACKTRACE: _stack(
        "KeyError: 'shelf'",
        ("/srv/demo/indexer/jobs.py", 22, "reindex", "entries = [entry(book) for book in batch]"),
        ("/srv/demo/indexer/entries.py", 9, "entry", "return Entry(book['title'], book['shelf'])"),
    ),
}
# Question, answer, and whether the catalogue is asked.
_TALKS: Final = (
    ("Do you have The Left Hand of Darkness?", "Yes, two copies at the main library; one is on the shelf.", True),
    ("Until when can I keep my books?", "Four weeks, and twice as long when nobody waits for them.", False),
    ("Is there a quiet room with power sockets?", "The reading room on the second floor, until 21:00.", False),
    ("Reserve the next free copy of Middlemarch", "Done. You are second in line; about nine days.", True),
    ("Can I return books at another branch?", "At any branch, and in the box beside the door.", False),
    ("Which of your cookbooks are about fermentation?", "Five of them; the newest came in last month.", True),
    ("How do I renew my card?", "At the desk or on the website; bring or upload proof of address.", False),
    ("Find me three short novels set in Lisbon", "I found three, all under two hundred pages.", True),
)


@dataclass(slots=True)
class Demo:
    """Records to send."""

    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)


def demo(now: float) -> Demo:
    """Return the two hours before ``now`` (seconds since the epoch)."""
    made, chance, day = Demo(), _chance(4), int(now // _DAY)
    begin, turn = now - _MINUTES * 60, 0
    for talk in range(70):
        share = talk / 70
        start = begin + share * (_MINUTES - 6) * 60 + chance.random() * 60
        for _ in range(chance.choice((1, 2, 2, 3))):
            failing = _EPISODE[0] < share < _EPISODE[1] and chance.random() < 0.7
            start += _Turn(made, f"{day}/{turn}", start, chance).play(talk, turn, failing=failing)
            turn += 1
    for number, share in enumerate((0.1, 0.55, 0.97)):
        _reindex(made, f"{day}/job/{number}", begin + share * _MINUTES * 60, fails=number == 2)
    return made


def sample(now: float, name: str) -> Demo:
    """Return one turn that has just ended; ``name`` tells it from others."""
    made = Demo()
    turn = _Turn(made, name, now - 4, _chance(1))
    turn.play(0, 0, failing=False)
    return made


class _Turn:
    """One question and its answer, as a trace; times are seconds from its start."""

    def __init__(self, made: Demo, name: str, start: float, chance: random.Random, service: str = "assistant") -> None:
        self._made, self._name, self._start, self._chance = made, name, int(start * _NS), chance
        self._trace = _id(name, 16)
        self._whom: dict[str, Any] = {}
        self._resource = Resource({Core.SERVICE_NAME: f"{SERVICES}{service}", Core.DEPLOYMENT_ENVIRONMENT: ENVIRONMENT})
        self._count = 0

    def play(self, talk: int, turn: int, *, failing: bool) -> float:
        """Write the turn and return the seconds until the next one may begin."""
        question, answer, catalogue = _TALKS[(talk + turn) % len(_TALKS)]
        model, pace = _MODELS[turn * 7 % len(_MODELS)], self._chance.uniform(0.7, 1.6)
        self._whom = {
            Core.USER_ID: f"{PEOPLE}{talk % 12:02d}",
            Otelkit.GROUP_ID: ("demo-north", "demo-south", "demo-harbour")[talk % 3],
            GenAI.CONVERSATION_ID: f"demo-talk-{self._name.partition('/')[0]}-{talk}",
        }
        tool = (4.0 if failing else 0.25 * pace) if catalogue else 0.0
        total = 0.5 + tool + (model.first + model.talk) * pace
        if failing and catalogue:
            answer = "I cannot reach the catalogue at the moment. Please try again in a few minutes."
        root = self.span("POST /ask", 0, total, b"", {Core.HTTP_METHOD: "POST", Core.HTTP_ROUTE: "/ask"})
        self.log(0.01, 9, f"question of {len(question)} characters", root)
        self._read(root, total, slow=turn % 17 == 3)
        self._retrieve(root, question, 0 if turn % 13 == 5 else 4)
        if catalogue:
            self._look_up(root, 0.4, 0.4 + tool, failing)
        if turn % 23 == 11:
            self._limited(root, 0.42 + tool, model)
        self._chat(root, 0.45 + tool, total - 0.02, model, (question, answer), model.first * pace)
        return total + self._chance.uniform(8, 50)

    def span(self, name: str, begin: float, end: float, parent: bytes, more: Mapping[str, Any], **rest: Any) -> bytes:
        self._count += 1
        span_id = _id(f"{self._name}/{self._count}", 8)
        kind = SpanKind.INTERNAL if parent else SpanKind.SERVER
        times = (self._start + int(begin * _NS), self._start + int(end * _NS))
        fields: dict[str, Any] = {"resource": self._resource, "scope": _SCOPE, **rest}
        told = {**self._whom, **more}
        self._made.spans.append(Span(self._trace, span_id, parent, name, kind, *times, attributes=told, **fields))
        return span_id

    def log(
        self,
        at: float,
        severity: int,
        body: str,
        span_id: bytes,
        more: Mapping[str, Any] = MappingProxyType({}),
        event: str = "",
    ) -> None:
        time, text = self._start + int(at * _NS), {9: "INFO", 13: "WARN", 17: "ERROR"}[severity]
        uid = {Core.LOG_RECORD_UID: _id(f"{self._name}/{body}", 16).hex()}
        whence: dict[str, Any] = {
            "trace_id": self._trace,
            "span_id": span_id,
            "resource": self._resource,
            "scope": _SCOPE,
        }
        self._made.logs.append(LogRecord(time, time, severity, text, body, {**uid, **more}, event, **whence))

    def _read(self, parent: bytes, total: float, *, slow: bool) -> None:
        """Who is asking, and what they have borrowed: one of the two has no index for some readers."""
        self.span("SELECT readers", 0.002, 0.006, parent, _query("readers", "SELECT * FROM readers WHERE id = ?"))
        loans = _query("loans", "SELECT title, due FROM loans JOIN books ON books.id = loans.book WHERE reader = ?")
        end = 0.008 + (min(0.82, total - 0.05) if slow else self._chance.uniform(0.002, 0.02))
        step = self.span("SELECT loans", 0.008, end, parent, loans)
        if slow:
            more = {**loans, Otelkit.DB_SECONDS: end - 0.008}
            self.log(end, 13, f"SELECT loans took {end - 0.008:.3g} s", step, more, Database.SLOW_EVENT)

    def _retrieve(self, parent: bytes, query: str, results: int) -> None:
        found = [{"id": f"page-{place}", "score": round(0.9 - 0.08 * place, 2)} for place in range(results)]
        more = {
            GenAI.OPERATION: "retrieval",
            GenAI.DATA_SOURCE_ID: "house-rules",
            GenAI.RETRIEVAL_TOP_K: 4,
            GenAI.RETRIEVAL_QUERY: query,
            GenAI.RETRIEVAL_DOCUMENTS: json.dumps(found),
            Otelkit.RESULT_COUNT: results,
        }
        step = self.span("retrieval house-rules", 0.02, 0.36, parent, more)
        embedding = {GenAI.OPERATION: "embeddings", GenAI.PROVIDER: "openai", GenAI.INPUT_TOKENS: len(query) // 4}
        embedding[GenAI.REQUEST_MODEL] = "text-embedding-3-small"
        self.span("embeddings text-embedding-3-small", 0.03, 0.2, step, embedding)
        if not results:
            self.log(0.36, 13, "no passage fits the question", step)

    def _look_up(self, parent: bytes, begin: float, end: float, failing: bool) -> None:
        more = {GenAI.OPERATION: "execute_tool", GenAI.TOOL_NAME: "search_catalogue"}
        if not failing:
            self.span("execute_tool search_catalogue", begin, end, parent, {**more, GenAI.TOOL_RESULT: '{"found": 3}'})
            return
        more[Core.ERROR_TYPE] = "TimeoutError"
        step = self.span("execute_tool search_catalogue", begin, end, parent, more, **self.failed(end, _TIMEOUT))
        self.log(end, 17, _OVERLOADED, step, _TIMEOUT)

    def failed(self, at: float, raised: Mapping[str, Any]) -> dict[str, Any]:
        """What else a span holds that ends by an exception."""
        event = SpanEvent(Core.EXCEPTION_EVENT, self._start + int(at * _NS), raised)
        return {"status": StatusCode.ERROR, "status_message": raised[Core.EXCEPTION_MESSAGE], "events": (event,)}

    def _limited(self, parent: bytes, at: float, model: _Model) -> None:
        """A call that is refused, and tried again by :meth:`_chat`."""
        more = {GenAI.OPERATION: "chat", GenAI.PROVIDER: model.provider, GenAI.REQUEST_MODEL: model.name}
        more[Core.ERROR_TYPE] = "RateLimitError"
        self.span(f"chat {model.name}", at, at + 0.03, parent, more, **self.failed(at + 0.03, _LIMITED))

    def _chat(
        self, parent: bytes, begin: float, end: float, model: _Model, said: tuple[str, str], first: float
    ) -> None:
        question, answer = ([_said(role, text)] for role, text in zip(("user", "assistant"), said, strict=True))
        more = {
            GenAI.OPERATION: "chat",
            GenAI.PROVIDER: model.provider,
            GenAI.REQUEST_MODEL: model.name,
            GenAI.REQUEST_STREAM: True,
            GenAI.TIME_TO_FIRST_CHUNK: first,
            GenAI.INPUT_TOKENS: self._chance.randint(700, 2400),
            GenAI.OUTPUT_TOKENS: self._chance.randint(40, 420),
            GenAI.INPUT_MESSAGES: json.dumps(question),
            GenAI.OUTPUT_MESSAGES: json.dumps(answer),
        }
        self.span(f"chat {model.name}", begin, end, parent, more)


def _reindex(made: Demo, name: str, start: float, *, fails: bool) -> None:
    """A background job of another service."""
    job = _Turn(made, name, start, _chance(2), service="indexer")
    more = {GenAI.OPERATION: "run_job", Otelkit.JOB_NAME: "reindex"}
    ends = job.failed(3.2, _BROKEN) if fails else {}
    root = job.span(
        "run_job reindex", 0, 3.2, b"", {**more, **({Core.ERROR_TYPE: "KeyError"} if fails else {})}, **ends
    )
    calls = {GenAI.OPERATION: "embeddings", GenAI.PROVIDER: "openai", GenAI.INPUT_TOKENS: 6100}
    calls[GenAI.REQUEST_MODEL] = "text-embedding-3-small"
    for part in range(4):
        job.span("embeddings text-embedding-3-small", 0.1 + part * 0.7, 0.7 + part * 0.7, root, calls)
    if not fails:
        job.log(3.1, 9, "indexed 4 batches", root)


def _query(table: str, statement: str) -> dict[str, Any]:
    return {
        Core.DB_SYSTEM: "postgresql",
        Database.NAMESPACE: "demo-library",
        Database.OPERATION: "SELECT",
        Database.COLLECTION: table,
        Database.QUERY_SUMMARY: f"SELECT {table}",
        Database.QUERY_TEXT: statement,
        Otelkit.DB_FINGERPRINT: _id(statement, 8).hex(),
    }


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  the same each time is the point


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _id(name: str, size: int) -> bytes:
    return hashlib.sha256(f"otelkit demo {name}".encode()).digest()[:size]
