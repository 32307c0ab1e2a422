"""A shop's assistant as telemetry: the same traces and logs every time, placed on a clock that the caller names.

What the page must show is in here on purpose: a tool that starts to fail, a model without a price, a call whose tokens
nobody reported, content that was not captured, a stream with a wait before its first token, a background job, two
services in one trace, and strings that try to be markup.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from otelkit.model import LogRecord, Resource, Scope, Span, SpanEvent, SpanKind, StatusCode
from otelkit.semconv.attributes import Core, GenAI, Otelkit

__all__ = ["HOSTILE", "LOCAL_MODEL", "Shop", "batches", "build", "trace_id"]

SECOND: Final = 1_000_000_000
LOCAL_MODEL: Final = "mistral-nemo-ft"
HOSTILE: Final = (
    "<script>window.__planted = 1</script>",
    '"><img src=x onerror="window.__planted = 2">',
    "\u202egnp.exe\u202c javascript:window.__planted=3",
    "{{constructor.constructor('window.__planted = 4')()}}",
)
_SHOP: Final = Resource(
    {Core.SERVICE_NAME: "shop-assistant", Core.SERVICE_VERSION: "2.4.1", Core.DEPLOYMENT_ENVIRONMENT: "dev"}
)
_ORDERS: Final = Resource({Core.SERVICE_NAME: "orders", Core.DEPLOYMENT_ENVIRONMENT: "dev"})
_SCOPE: Final = Scope("otelkit", "0.1.0")
_STACK: Final = """Traceback (most recent call last):
  File "/srv/shop/tools.py", line 41, in search_orders
    return await orders.get(order_id, timeout=5.0)
  File "/srv/shop/clients.py", line 88, in get
    raise TimeoutError(f"orders did not answer within {timeout} s")
TimeoutError: orders did not answer within 5.0 s"""
_ASKED: Final = (
    ("Where is my order {}?", "It left the warehouse on Tuesday and should reach you tomorrow."),
    ("Compare the two standing desks and tell me which is quieter", "The Oslo is quieter: 38 dB against 46 dB."),
    ("Summarise the return policy for electronics bought abroad", "Thirty days, with the receipt; shipping is yours."),
    ("Can I change the delivery address of order {}?", "Yes, until it is packed. Where should it go?"),
    ("Which of your lamps are dimmable?", "Aurora, Fjord and Lumen; all three down to one per cent."),
    ("Do you ship to Iceland?", "Yes, within six working days."),
    ("What does the three-year warranty cover?", "Parts and labour; not batteries."),
    ("The chair creaks, what can I do?", "Tighten the four bolts under the seat; if it still creaks, we replace it."),
)


@dataclass
class Shop:
    """Everything to send, and what the page must say about it."""

    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)


def trace_id(name: str) -> str:
    """Return the trace id that belongs to a name, in hex."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


class _Trace:
    """Writes the spans of one trace; times are seconds from its start."""

    def __init__(self, shop: Shop, name: str, start: int, base: Mapping[str, Any]) -> None:
        self.shop, self.name, self.start, self.base = shop, name, start, dict(base)
        self._count = 0

    def span(
        self,
        name: str,
        begin: float,
        end: float,
        parent: bytes = b"",
        *,
        kind: int = SpanKind.INTERNAL,
        error: str = "",
        events: tuple[SpanEvent, ...] = (),
        resource: Resource = _SHOP,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> bytes:
        self._count += 1
        span_id = hashlib.sha256(f"{self.name}/{self._count}".encode()).digest()[:8]
        self.shop.spans.append(
            Span(
                trace_id=bytes.fromhex(trace_id(self.name)),
                span_id=span_id,
                parent_id=parent,
                name=name,
                kind=kind,
                start=self.start + int(begin * SECOND),
                end=self.start + int(end * SECOND),
                status=StatusCode.ERROR if error else StatusCode.UNSET,
                status_message=error,
                attributes={**self.base, **more},
                events=events,
                resource=resource,
                scope=_SCOPE,
            )
        )
        return span_id

    def log(self, at: float, severity: int, body: str, span_id: bytes, **attributes: Any) -> None:
        text = {5: "DEBUG", 9: "INFO", 13: "WARN", 17: "ERROR"}[severity]
        moment = self.start + int(at * SECOND)
        trace = bytes.fromhex(trace_id(self.name))
        uid = hashlib.sha256(f"{self.name}{at}{body[:80]}".encode()).hexdigest()[:32]
        self.shop.logs.append(
            LogRecord(
                *(moment, moment, severity, text, body),
                attributes={**attributes, Core.LOG_RECORD_UID: uid},
                trace_id=trace,
                span_id=span_id,
                resource=_SHOP,
                scope=Scope("shop.orders" if "order" in body else "shop.chat"),
            )
        )


def _chat(
    trace: _Trace,
    begin: float,
    end: float,
    parent: bytes,
    model: str,
    *,
    provider: str = "openai",
    tokens: tuple[int, int, int] | None = (402, 705, 0),
    first: float | None = None,
    messages: tuple[list[Any], list[Any] | None] | None = None,
    finish: str = "stop",
    error: str = "",
) -> bytes:
    more: dict[str, Any] = {
        GenAI.OPERATION: "chat",
        GenAI.PROVIDER: provider,
        GenAI.REQUEST_MODEL: model,
        GenAI.RESPONSE_MODEL: model,
        GenAI.FINISH_REASONS: (finish,),
        GenAI.REQUEST_TEMPERATURE: 0.2,
    }
    if tokens is not None:
        more |= {GenAI.INPUT_TOKENS: tokens[0], GenAI.OUTPUT_TOKENS: tokens[1]}
        if tokens[2]:
            more[GenAI.CACHE_READ_TOKENS] = tokens[2]
    if first is not None:
        more |= {GenAI.TIME_TO_FIRST_CHUNK: first, GenAI.REQUEST_STREAM: True}
    if messages is not None:
        more[GenAI.INPUT_MESSAGES] = json.dumps(messages[0])
        if messages[1] is not None:
            more[GenAI.OUTPUT_MESSAGES] = json.dumps(messages[1])
    if error:
        more[Core.ERROR_TYPE] = error
    return trace.span(f"chat {model}", begin, end, parent, kind=SpanKind.CLIENT, more=more, error=error)


def _said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def _called(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    part = {"type": "tool_call", "id": "call_1", "name": name, "arguments": arguments}
    return {"role": "assistant", "parts": [part], "finish_reason": "tool_call"}


def _answered(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": result}]}


def _retrieval(trace: _Trace, begin: float, end: float, parent: bytes, query: str, results: int) -> None:
    third = (end - begin) / 3
    more = {
        GenAI.OPERATION: "retrieval",
        GenAI.DATA_SOURCE_ID: "handbook",
        GenAI.RETRIEVAL_TOP_K: 5,
        GenAI.RETRIEVAL_QUERY: query,
        Otelkit.RESULT_COUNT: results,
    }
    found = trace.span("retrieval handbook", begin, end, parent, more=more)
    more = {GenAI.OPERATION: "embeddings", GenAI.PROVIDER: "openai", GenAI.REQUEST_MODEL: "text-embedding-3-small"}
    more[GenAI.INPUT_TOKENS] = 9 + len(query) // 4
    trace.span("embeddings text-embedding-3-small", begin, begin + third * 1.6, found, kind=SpanKind.CLIENT, more=more)
    more = {Core.DB_SYSTEM: "sqlite", "db.query.text": "SELECT id, text FROM chunks ORDER BY distance LIMIT ?"}
    trace.span("SELECT chunks", begin + third * 1.7, end - 0.01, found, kind=SpanKind.CLIENT, more=more)


def _order(trace: _Trace, begin: float, end: float, parent: bytes, order: int, *, failing: bool) -> bytes:
    more: dict[str, Any] = {
        GenAI.OPERATION: "execute_tool",
        GenAI.TOOL_NAME: "search_orders",
        GenAI.TOOL_ARGUMENTS: json.dumps({"id": order}),
    }
    events: tuple[SpanEvent, ...] = ()
    if failing:
        more[Core.ERROR_TYPE] = "TimeoutError"
        raised = {
            Core.EXCEPTION_TYPE: "TimeoutError",
            Core.EXCEPTION_MESSAGE: "orders did not answer within 5.0 s",
            Core.EXCEPTION_STACKTRACE: _STACK,
        }
        events = (SpanEvent("exception", trace.start + int(end * SECOND), raised),)
    else:
        more[GenAI.TOOL_RESULT] = json.dumps({"id": order, "status": "shipped", "since": "Tue"})
    error = "orders did not answer within 5.0 s" if failing else ""
    tool = trace.span("execute_tool search_orders", begin, end, parent, more=more, events=events, error=error)
    if not failing:
        middle = (begin + end) / 2
        more = {Core.HTTP_METHOD: "GET", Core.HTTP_ROUTE: "/orders/{id}", Core.HTTP_STATUS: 200}
        hop = trace.span("GET /orders/{id}", begin + 0.01, end - 0.005, tool, kind=SpanKind.CLIENT, more=more)
        served = trace.span(
            *("GET /orders/{id}", begin + 0.02, end - 0.01, hop), kind=SpanKind.SERVER, resource=_ORDERS, more=more
        )
        more = {Core.DB_SYSTEM: "postgresql", "db.query.text": "SELECT * FROM orders WHERE id = $1"}
        trace.span("SELECT orders", begin + 0.03, middle, served, kind=SpanKind.CLIENT, resource=_ORDERS, more=more)
    trace.log(
        end, 17 if failing else 9, f"order {order} {'timed out' if failing else 'found'}", tool, **{"order.id": order}
    )
    return tool


def _conversation(shop: Shop, place: int, start: int, chance: random.Random, *, failing: bool) -> None:
    question, answer = _ASKED[place % len(_ASKED)]
    number = 1100 + place * 37 % 900
    question = question.format(number)
    pace = chance.uniform(0.7, 1.5)
    user, group = f"u-{place % 17:02d}{'abcdef'[place % 6]}93c0", ("acme", "globex", "initech")[place % 3]
    base = {
        Core.USER_ID: user,
        Otelkit.GROUP_ID: group,
        GenAI.CONVERSATION_ID: f"c-{place % 23}",
        Core.SESSION_ID: f"s-{place % 31}",
    }
    trace = _Trace(shop, f"conversation-{place}", start, base)
    orders = "order" in question
    tool_time = (5.0 if failing else 0.2 * pace) if orders else 0.0
    model = "gpt-4o" if "Compare" in question else "gpt-4o-mini"
    asks = [_said("system", "You are a shop's assistant. Use the tools."), _said("user", question)]
    plan, talk = 0.76 * pace, (5.6 if model == "gpt-4o" else 1.84) * pace
    total = 0.55 + plan * orders + tool_time + talk
    root = trace.span(
        *("POST /chat", 0.0, total),
        kind=SpanKind.SERVER,
        more={
            Core.HTTP_METHOD: "POST",
            Core.HTTP_ROUTE: "/chat",
            Core.HTTP_STATUS: 200,
            Otelkit.REQUEST_ID: trace_id(f"request-{place}")[:16],
        },
    )
    _retrieval(trace, 0.02, 0.4, root, question, 0 if "abroad" in question and place % 2 else 4)
    agent = {GenAI.OPERATION: "invoke_agent", GenAI.AGENT_NAME: "support"}
    agent_id = trace.span("invoke_agent support", 0.42, total - 0.06, root, more=agent)
    at = 0.43
    if orders:
        call = _called("search_orders", {"id": number})
        _chat(trace, at, at + plan, agent_id, model, tokens=(388, 21, 0), messages=(asks, [call]), finish="tool_call")
        at += plan + 0.01
        _order(trace, at, at + tool_time, agent_id, number, failing=failing)
        at += tool_time + 0.01
        result = {"error": "timeout"} if failing else {"id": number, "status": "shipped", "since": "Tue"}
        asks = [*asks, call, _answered(result)]
    if failing and orders:
        answer = "I could not reach the order system. Please try again in a few minutes."
    cached = 1024 if place % 3 == 0 else 0
    usage = (1402 + 7 * (place % 40), 90 + 11 * (place % 25), cached)
    ends = total - 0.08
    final = _chat(
        trace,
        at,
        ends,
        agent_id,
        model,
        tokens=usage,
        first=0.21 * pace * 2,
        messages=(asks, [_said("assistant", answer)]),
    )
    more = {Core.DB_SYSTEM: "sqlite", "db.query.text": "INSERT INTO messages VALUES (?, ?, ?)"}
    trace.span("INSERT messages", total - 0.05, total - 0.012, root, kind=SpanKind.CLIENT, more=more)
    trace.log(0.01, 9, f"chat request of {len(question)} characters", root, length=len(question))
    if chance.random() < 0.2:
        trace.log(ends, 13, "answer is shorter than usual", final, length=len(answer))


def _refused(shop: Shop, place: int, start: int) -> None:
    """A request that fails because the model's provider does."""
    trace = _Trace(shop, f"refused-{place}", start, {Core.USER_ID: f"u-{place % 17:02d}c93c0"})
    root = trace.span(
        *("POST /chat", 0, 1.3),
        kind=SpanKind.SERVER,
        error="the provider is overloaded",
        more={Core.HTTP_METHOD: "POST", Core.HTTP_ROUTE: "/chat", Core.HTTP_STATUS: 503, Core.ERROR_TYPE: "503"},
    )
    messages = ([_said("user", _ASKED[place % len(_ASKED)][0].format(place))], None)
    _chat(trace, 0.1, 1.2, root, "gpt-4o", tokens=None, messages=messages, error="RateLimitError")


def _unusual(shop: Shop, now: int) -> None:
    """One trace each of what is not usual."""
    trace = _Trace(shop, "unpriced", now - 130 * SECOND, {Core.USER_ID: "u-7f3a", GenAI.CONVERSATION_ID: "c-dutch"})
    root = trace.span("POST /chat", 0, 4.12, kind=SpanKind.SERVER, more={Core.HTTP_ROUTE: "/chat"})
    messages = ([_said("user", "translate this into Dutch")], [_said("assistant", "vertaal dit naar het Nederlands")])
    _chat(trace, 0.1, 4.1, root, LOCAL_MODEL, provider="local", tokens=(1100, 822, 0), messages=messages, first=0.9)

    trace = _Trace(shop, "unreported", now - 140 * SECOND, {})
    root = trace.span("POST /summary", 0, 1.2, kind=SpanKind.SERVER, more={Core.HTTP_ROUTE: "/summary"})
    _chat(trace, 0.1, 1.1, root, "gpt-4o-mini", tokens=None)

    trace = _Trace(shop, "job", now - 150 * SECOND, {})
    more = {GenAI.OPERATION: "run_job", Otelkit.JOB_NAME: "reindex"}
    root = trace.span("run_job reindex", 0, 2.6, more=more)
    more = {GenAI.OPERATION: "embeddings", GenAI.PROVIDER: "openai", GenAI.REQUEST_MODEL: "text-embedding-3-small"}
    for part in range(4):
        given = {**more, GenAI.INPUT_TOKENS: 6100 + part}
        at = 0.1 + part * 0.6
        trace.span("embeddings text-embedding-3-small", at, at + 0.5, root, kind=SpanKind.CLIENT, more=given)


def _hostile(shop: Shop, now: int) -> None:
    """Markup and long values wherever a sender can put a string."""
    script, image, turned, braces = HOSTILE
    trace = _Trace(shop, "hostile", now - 160 * SECOND, {Core.USER_ID: script, GenAI.CONVERSATION_ID: image})
    root = trace.span(image, 0, 0.9, kind=SpanKind.SERVER, more={Core.HTTP_ROUTE: script, image: turned})
    messages = ([_said("user", script + turned)], [_said("assistant", image + braces)])
    call = _chat(trace, 0.1, 0.8, root, f"gpt-4o-mini{script}", provider=image, messages=messages, tokens=(12, 3, 0))
    more = {
        GenAI.OPERATION: "execute_tool",
        GenAI.TOOL_NAME: script,
        GenAI.TOOL_RESULT: "x" * 100_000,
        "long": "y" * 100_000,
    }
    raised = {Core.EXCEPTION_TYPE: script, Core.EXCEPTION_MESSAGE: image, Core.EXCEPTION_STACKTRACE: braces * 50}
    event = SpanEvent("exception", trace.start, raised)
    trace.span(f"execute_tool {script}", 0.3, 0.5, root, more=more, events=(event,), error=image)
    trace.log(0.5, 17, f"{script} {image} {turned}", call, **{script: image, "long": "z" * 100_000})


def build(now: float, conversations: int = 180, minutes: float = 115, *, hostile: bool = True) -> Shop:
    """Return ``conversations`` chats spread over the ``minutes`` before ``now`` (seconds since the epoch), and more.

    In the last half hour ``search_orders`` fails for a third of those that ask for an order.
    """
    shop, chance = Shop(), random.Random(7)
    end = int(now * SECOND)
    for place in range(conversations):
        share = place / conversations
        share += 0.05 * math.sin(4 * math.pi * share)  # busier and quieter times
        start = end - int(minutes * 60 * SECOND * (1 - share)) + int(chance.random() * 20 * SECOND)
        start = min(start, end - 12 * SECOND)
        recent = start > end - 30 * 60 * SECOND
        _conversation(shop, place, start, chance, failing=recent and place % 24 in (0, 19))
        if place % 60 == 17:
            _refused(shop, place, start)
    _unusual(shop, end)
    if hostile:
        _hostile(shop, end)
    return shop


def batches(records: list[Any], size: int = 400) -> Iterator[list[Any]]:
    """Cut records into what one request carries."""
    for start in range(0, len(records), size):
        yield records[start : start + size]
