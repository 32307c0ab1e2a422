"""The load that the server's benchmarks send: 8-span traces of a retrieval chatbot, about 1 KB of OTLP a span."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from otelkit.mapping.otlp import encode_spans
from otelkit.model import Resource, Scope, Span, SpanEvent, SpanKind, StatusCode
from otelkit.semconv.attributes import Core, GenAI, Otelkit

SPANS_PER_TRACE = 8
_MS = 1_000_000
_MODELS = (
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("local", "mistral-nemo-ft"),
)
_TOOLS = ("search_orders", "refund", "weather", "create_ticket")
_ROUTES = ("/chat", "/summarise", "/translate")
_WORDS = ("where", "is", "my", "order", "and", "what", "does", "the", "return", "policy", "say", "about", "desks",
          "bought", "abroad", "in", "may", "please", "tell", "me")  # fmt: skip


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words)).capitalize()


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def trace(rng: random.Random, start: int, resource: Resource, scope: Scope) -> list[Span]:
    """Return one trace, children first, as an SDK exports it."""
    trace_id = rng.randbytes(16)
    ids = [rng.randbytes(8) for _ in range(SPANS_PER_TRACE)]
    provider, model = rng.choice(_MODELS)
    tool, route = rng.choice(_TOOLS), rng.choice(_ROUTES)
    scale = rng.lognormvariate(0, 0.6)
    failing = rng.random() < 0.01
    who = {
        Core.USER_ID: f"{rng.randrange(500):08x}{'ab' * 12}",
        Otelkit.GROUP_ID: f"group-{rng.randrange(20)}",
        GenAI.CONVERSATION_ID: f"conversation-{rng.randrange(5000)}",
        Core.SESSION_ID: f"session-{rng.randrange(8000)}",
    }
    question, answer = _sentence(rng, 14), _sentence(rng, 60)

    def span(number: int, parent: int, name: str, kind: int, begin: float, length: float, **more: object) -> Span:
        begin_ns = start + int(begin * scale * _MS)
        status = StatusCode.ERROR if more.pop("failing", False) else StatusCode.UNSET
        events = ()
        if status:
            raised = {Core.EXCEPTION_TYPE: "TimeoutError", Core.EXCEPTION_MESSAGE: "no answer"}
            events = (SpanEvent("exception", begin_ns, raised),)
        attributes = {**who, **more["attributes"]}  # type: ignore[dict-item]
        end_ns = begin_ns + int(length * scale * _MS)
        parent_id = ids[parent] if parent >= 0 else b""
        return Span(
            *(trace_id, ids[number], parent_id, name, kind, begin_ns, end_ns, status, "", attributes, events),
            resource=resource,
            scope=scope,
        )

    def call(prompt: int, completion: int, text: str, told: str) -> dict[str, object]:
        return {
            GenAI.OPERATION: "chat",
            GenAI.PROVIDER: provider,
            GenAI.REQUEST_MODEL: model,
            GenAI.RESPONSE_MODEL: model,
            GenAI.RESPONSE_ID: f"chatcmpl-{rng.getrandbits(64):016x}",
            GenAI.FINISH_REASONS: ("stop",),
            GenAI.INPUT_TOKENS: prompt,
            GenAI.OUTPUT_TOKENS: completion,
            GenAI.CACHE_READ_TOKENS: prompt // 2,
            GenAI.REQUEST_TEMPERATURE: 0.2,
            GenAI.REQUEST_MAX_TOKENS: 1024,
            GenAI.TIME_TO_FIRST_CHUNK: 0.2 * scale,
            GenAI.INPUT_MESSAGES: _message("user", text),
            GenAI.OUTPUT_MESSAGES: _message("assistant", told),
            Core.SERVER_ADDRESS: "api.example.com",
            Core.SERVER_PORT: 443,
        }

    hits = [{"id": f"doc-{rng.randrange(10_000)}", "score": round(rng.random(), 4)} for _ in range(5)]
    return [
        span(3, 2, "embeddings text-embedding-3-small", 3, 15, 90, attributes={
            GenAI.OPERATION: "embeddings", GenAI.PROVIDER: "openai", GenAI.REQUEST_MODEL: "text-embedding-3-small",
            GenAI.INPUT_TOKENS: 20, GenAI.EMBEDDING_DIMENSIONS: 1536,
        }),
        span(4, 2, "SELECT chunks", 3, 110, 60, attributes={
            Core.DB_SYSTEM: "postgresql", "db.operation.name": "SELECT",
            "db.query.text": "SELECT id, text FROM chunks ORDER BY embedding <-> $1 LIMIT $2",
        }),
        span(2, 1, "retrieval handbook", 3, 10, 170, attributes={
            GenAI.OPERATION: "retrieval", GenAI.DATA_SOURCE_ID: "handbook", GenAI.RETRIEVAL_TOP_K: 5,
            GenAI.RETRIEVAL_QUERY: question, GenAI.RETRIEVAL_DOCUMENTS: json.dumps(hits), Otelkit.RESULT_COUNT: 5,
        }),
        span(5, 1, f"chat {model}", 3, 190, 500, attributes=call(900, 40, question, "I will look that up.")),
        span(6, 1, f"execute_tool {tool}", 1, 700, 120, failing=failing, attributes={
            GenAI.OPERATION: "execute_tool", GenAI.TOOL_NAME: tool, GenAI.TOOL_CALL_ID: "call_1",
            GenAI.TOOL_ARGUMENTS: json.dumps({"query": question}),
            GenAI.TOOL_RESULT: json.dumps({"status": "shipped", "since": "Tuesday"}),
        }),
        span(7, 1, f"chat {model}", 3, 830, 900, attributes=call(1400, 220, question, answer)),
        span(1, 0, "invoke_agent support", 1, 8, 1730, attributes={
            GenAI.OPERATION: "invoke_agent", GenAI.AGENT_NAME: "support",
            GenAI.INPUT_TOKENS: 2300, GenAI.OUTPUT_TOKENS: 260,
        }),
        span(0, -1, f"POST {route}", SpanKind.SERVER, 0, 1750, failing=failing and rng.random() < 0.5, attributes={
            Core.HTTP_METHOD: "POST", Core.HTTP_ROUTE: route, Core.HTTP_STATUS: 200,
            Core.URL_PATH: route, Core.URL_SCHEME: "http",
            "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)", "network.protocol.version": "1.1",
        }),
    ]  # fmt: skip


def spans(count: int, *, first: int, last: int, seed: int = 7) -> Iterator[list[Span]]:
    """Yield traces, ``count`` spans in all, evenly between two times in nanoseconds."""
    rng = random.Random(seed)
    resources = [
        Resource({Core.SERVICE_NAME: name, Core.SERVICE_VERSION: "2.4.1", Core.DEPLOYMENT_ENVIRONMENT: "production",
                  Core.SERVICE_INSTANCE_ID: f"{rng.getrandbits(128):032x}", "telemetry.sdk.language": "python",
                  "telemetry.sdk.name": "opentelemetry", "telemetry.sdk.version": "1.45.2"})
        for name in ("shop-assistant", "support-bot")
    ]  # fmt: skip
    scope = Scope("otelkit", "0.1.0")
    traces = max(1, count // SPANS_PER_TRACE)
    for number in range(traces):
        yield trace(rng, first + (last - first) * number // traces, resources[number % 7 == 0], scope)


def bodies(count: int, *, batch: int, first: int, last: int, seed: int = 7) -> Iterator[tuple[bytes, int]]:
    """Yield OTLP requests of ``batch`` spans with how many they hold."""
    waiting: list[Span] = []
    for some in spans(count, first=first, last=last, seed=seed):
        waiting.extend(some)
        if len(waiting) >= batch:
            yield encode_spans(waiting), len(waiting)
            waiting = []
    if waiting:
        yield encode_spans(waiting), len(waiting)
