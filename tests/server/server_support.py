"""Telemetry to send to a server, and a plain client to send it with."""

from __future__ import annotations

import json
import os
import secrets
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from otelkit.mapping.otlp import encode_logs, encode_spans
from otelkit.model import LogRecord, Resource, Scope, Span
from otelkit.server.runtime import Server
from otelkit.server.storage import schema

MS = 1_000_000
NewStore = Callable[[], str]
"""Makes an empty store and returns where it is."""
SERVICE = Resource({"service.name": "shop", "deployment.environment.name": "test"})


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Plain HTTP against a server."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        self.url = url
        self._tls = tls

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, names, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30, context=self._tls) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers), error.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def ask(self, path: str) -> Any:
        answer = self.get(path)
        assert answer.status == 200, answer.body
        return answer.json

    def post(self, path: str, body: bytes, content_type: str = "application/x-protobuf", **headers: str) -> Answer:
        return self.request("POST", path, body, Content_Type=content_type, **headers)

    def send(self, spans: Sequence[Span]) -> None:
        assert self.post("/v1/traces", encode_spans(spans)).status == 200

    def send_logs(self, records: Sequence[LogRecord]) -> None:
        assert self.post("/v1/logs", encode_logs(records)).status == 200


def make_span(name: str = "step", **values: Any) -> Span:
    """Make a span; ``at`` is its start in milliseconds after a minute ago, ``ms`` its length."""
    start = values.pop("base", time.time_ns() - 60_000 * MS) + int(values.pop("at", 0) * MS)
    length = int(values.pop("ms", 10) * MS)
    fields: dict[str, Any] = {
        "trace_id": secrets.token_bytes(16),
        "span_id": secrets.token_bytes(8),
        "parent_id": b"",
        "kind": 1,
        "start": start,
        "end": start + length,
        "resource": SERVICE,
        "scope": Scope("tests", "1"),
    }
    return Span(name=name, **{**fields, **values})


def chat_trace(question: str = "Where is my order?", answer: str = "On its way.", **values: Any) -> list[Span]:
    """Make a request → retrieval, tool, model call; children first, as SDKs export them."""
    trace_id, root = secrets.token_bytes(16), secrets.token_bytes(8)
    base = values.pop("base", time.time_ns() - 60_000 * MS)
    model, provider = values.pop("model", "gpt-4o-mini"), values.pop("provider", "openai")
    tool_status, llm_ms = values.pop("tool_status", 0), values.pop("llm_ms", 400)
    below = {"trace_id": trace_id, "parent_id": root, "base": base}
    who = {"user.id": "u-1", "gen_ai.conversation.id": "c-1", "session.id": "s-1", "otelkit.group.id": "acme", **values}
    message = '[{"role": "%s", "parts": [{"type": "text", "content": "%s"}]}]'
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 200,
        "gen_ai.response.time_to_first_chunk": 0.1,
        "gen_ai.input.messages": message % ("user", question),
        "gen_ai.output.messages": message % ("assistant", answer),
    }
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search_orders"}
    if tool_status:
        tool["error.type"] = "TimeoutError"
    retrieval = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "handbook"}
    http = {"http.request.method": "POST", "http.route": "/chat", **who}
    return [
        make_span("retrieval handbook", at=10, ms=50, kind=3, attributes=retrieval, **below),
        make_span("execute_tool search_orders", at=70, ms=30, status=tool_status, attributes=tool, **below),
        make_span(f"chat {model}", at=110, ms=llm_ms, kind=3, attributes=call, **below),
        make_span("POST /chat", ms=120 + llm_ms, kind=2, attributes=http, trace_id=trace_id, span_id=root, base=base),
    ]


ROLLUPS = (*schema.ROLL.values(), *schema.HIST.values(), *schema.KIND.values(), schema.actor_hour)


def everything(server: Server) -> dict[str, list[Any]]:
    """Return the derived rows, without what only numbers them."""
    with server.database.reading() as connection:
        traces = [
            {name: value for name, value in row._mapping.items() if name != "id"}
            for row in connection.execute(select(schema.trace).order_by(schema.trace.c.trace_id))
        ]
        series = {row.id: tuple(row)[1:] for row in connection.execute(select(schema.series))}
        actors = {row.id: tuple(row)[1:] for row in connection.execute(select(schema.actor))}
        named = {"series": series, "actor": actors}
        sums = {
            table.name: sorted(
                repr([named[name][value] if name in named else rounded(value) for name, value in row._mapping.items()])
                for row in connection.execute(select(table))
                if row._mapping.get("count", 1)
                and row._mapping.get("counts", 1)
                and row._mapping.get("spent", 1)  # what was corrected to nothing is as good as absent
            )
            for table in ROLLUPS
        }
    for trace in traces:
        trace["cost"] = rounded(trace["cost"])
    return {"traces": traces, **sums}


def rounded(value: Any) -> Any:
    """Return an answer without the last digits of its numbers, which depend on the order of summing."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value


def scaled(short: int, long: int) -> int:
    """Return how often something is tried: ``make test`` tries it now and then, ``make test-long`` thoroughly."""
    return long if os.environ.get("TEST_LONG") else short
