"""Each processor alone on a provider of the user's own, reading spans of three conventions alike."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otelkit.sdk import guard as guard_module
from otelkit.sdk.convert import Converter
from otelkit.sdk.events import track
from otelkit.sdk.guard import Guard, guard, log_sparsely
from otelkit.sdk.processors import MeasuringProcessor, RagProcessor, StepProcessor, TokenProcessor, ToolProcessor
from otelkit.sdk.processors.roots import Roots

OTEL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 40,
    "gen_ai.response.id": "r1",
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.provider": "openai",
    "llm.model_name": "gpt-4o-mini",
    "llm.token_count.prompt": 100,
    "llm.token_count.completion": 20,
    "llm.token_count.total": 120,
    "llm.token_count.prompt_details.cache_read": 40,
}
TRACELOOP = {
    "llm.request.type": "chat",
    "gen_ai.system": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.prompt_tokens": 100,
    "gen_ai.usage.completion_tokens": 20,
    "llm.usage.total_tokens": 120,
    "gen_ai.usage.cache_read_input_tokens": 40,
}
COST = (60 * 0.15 + 40 * 0.075 + 20 * 0.6) / 1e6


class Bench:
    """A tracer whose finished spans one processor measures, and what was measured."""

    def __init__(self, kind: Callable[..., MeasuringProcessor]) -> None:
        self._reader = InMemoryMetricReader()
        provider = TracerProvider()
        provider.add_span_processor(kind(meter_provider=MeterProvider([self._reader])))
        self.tracer: Tracer = provider.get_tracer("test")

    def span(self, name: str, attributes: dict[str, Any], **options: Any) -> None:
        """A span that begins and ends here."""
        with self.tracer.start_as_current_span(name, attributes=attributes, **options):
            pass

    def points(self, name: str) -> list[Any]:
        """Points of one metric."""
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def values(self, name: str, key: str) -> dict[str, float]:
        """Sum of a counter by one attribute."""
        return {str(point.attributes.get(key)): point.value for point in self.points(name)}


@pytest.fixture
def tokens() -> Bench:
    return Bench(TokenProcessor)


@pytest.mark.parametrize("attributes", [OTEL, OPENINFERENCE, TRACELOOP], ids=["otel", "openinference", "traceloop"])
def test_three_conventions_give_the_same_figures(tokens: Bench, attributes: dict[str, Any]) -> None:
    tokens.span("chat", attributes, kind=SpanKind.CLIENT)
    assert tokens.values("otelkit.llm.tokens", "gen_ai.token.type") == {"input": 100, "output": 20, "cache_read": 40}
    (cost,) = tokens.points("otelkit.llm.cost")
    assert cost.value == pytest.approx(COST)
    assert cost.attributes["gen_ai.provider.name"] == "openai"
    assert cost.attributes["gen_ai.request.model"] == "gpt-4o-mini"
    usage = {point.attributes["gen_ai.token.type"]: point.sum for point in tokens.points("gen_ai.client.token.usage")}
    assert usage == {"input": 100, "output": 20}
    (duration,) = tokens.points("gen_ai.client.operation.duration")
    assert duration.count == 1


def test_agents_restating_their_childrens_tokens_count_nothing(tokens: Bench) -> None:
    agent = {**OTEL, "gen_ai.operation.name": "invoke_agent"}
    with tokens.tracer.start_as_current_span("invoke_agent", attributes=agent):
        tokens.span("chat", OTEL)
    assert tokens.values("otelkit.llm.tokens", "gen_ai.token.type")["input"] == 100


def test_one_call_seen_by_two_instrumentations_counts_once(tokens: Bench) -> None:
    with (
        tokens.tracer.start_as_current_span("outer", attributes=OPENINFERENCE),
        tokens.tracer.start_as_current_span("between", attributes={"gen_ai.operation.name": "execute_tool"}),
    ):
        tokens.span("chat", OTEL)
    assert tokens.values("otelkit.llm.tokens", "gen_ai.token.type")["input"] == 100
    assert sum(point.value for point in tokens.points("otelkit.llm.calls")) == 1


def test_two_equal_calls_one_after_the_other_count_twice(tokens: Bench) -> None:
    with tokens.tracer.start_as_current_span("root"):
        tokens.span("chat", {**OTEL, "gen_ai.response.id": "a"})
        tokens.span("chat", {**OTEL, "gen_ai.response.id": "b"})
    assert tokens.values("otelkit.llm.tokens", "gen_ai.token.type")["input"] == 200


def test_unknown_is_unknown(tokens: Bench) -> None:
    unreported = {key: value for key, value in OTEL.items() if "usage" not in key}
    tokens.span("chat", unreported)
    tokens.span("chat", {**OTEL, "gen_ai.request.model": "acme-ft", "gen_ai.response.id": "r2"})
    tokens.span("chat", {**OTEL, "gen_ai.provider.name": "ollama", "gen_ai.response.id": "r3"})
    assert tokens.points("otelkit.llm.cost") == []
    assert sum(point.value for point in tokens.points("otelkit.llm.unpriced")) == 3
    assert tokens.values("otelkit.llm.tokens", "gen_ai.provider.name") == {"openai": 40.0, "ollama": 40.0}


def test_streaming_speed_and_finish_reasons(tokens: Bench) -> None:
    start = time.time_ns()
    attributes = {**OTEL, "gen_ai.response.time_to_first_chunk": 0.5, "gen_ai.response.finish_reasons": ["length"]}
    span = tokens.tracer.start_span("chat", attributes=attributes, start_time=start)
    span.end(start + 2_400_000_000)
    (first,) = tokens.points("gen_ai.client.operation.time_to_first_chunk")
    assert first.sum == 0.5
    (each,) = tokens.points("otelkit.llm.time_per_output_token")
    assert each.sum == pytest.approx(1.9 / 19)
    assert tokens.values("otelkit.llm.calls", "gen_ai.response.finish_reasons") == {"length": 1}


@pytest.mark.parametrize(
    ("profile", "names"),
    [
        ("classic", {"gen_ai.client.operation.duration"}),
        ("latest", {"gen_ai.client.inference.duration"}),
        ("both", {"gen_ai.client.operation.duration", "gen_ai.client.inference.duration"}),
    ],
)
def test_metric_name_profiles(profile: str, names: set[str]) -> None:
    bench = Bench(lambda **options: TokenProcessor(profile=profile, **options))
    bench.span("chat", OTEL)
    both = {"gen_ai.client.operation.duration", "gen_ai.client.inference.duration"}
    assert {name for name in both if bench.points(name)} == names


def test_errors_carry_their_type(tokens: Bench) -> None:
    with tokens.tracer.start_as_current_span("chat", attributes=OTEL) as span:
        span.set_attribute("error.type", "openai.RateLimitError")
        span.set_status(Status(StatusCode.ERROR))
    (duration,) = tokens.points("gen_ai.client.operation.duration")
    assert duration.attributes["error.type"] == "openai.RateLimitError"
    assert tokens.values("otelkit.llm.calls", "otelkit.outcome") == {"error": 1}


def test_exemplars_lead_to_the_span(tokens: Bench) -> None:
    with tokens.tracer.start_as_current_span("chat", attributes=OTEL) as span:
        trace_id = span.get_span_context().trace_id
    (duration,) = tokens.points("gen_ai.client.operation.duration")
    assert [exemplar.trace_id for exemplar in duration.exemplars] == [trace_id]


def test_tools_by_integration_action_and_outcome() -> None:
    bench = Bench(ToolProcessor)
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find",
        "otelkit.tool.integration": "orders",
        "otelkit.tool.action": "search",
    }
    bench.span("execute_tool find", tool)
    assert bench.values("otelkit.tool.calls", "otelkit.outcome") == {"success": 1, "error": 0}
    bench.span("find", {"openinference.span.kind": "TOOL", "tool.name": "find"})
    names = {point.attributes["gen_ai.tool.name"] for point in bench.points("gen_ai.execute_tool.duration")}
    assert names == {"find"}
    assert {point.attributes.get("otelkit.tool.integration") for point in bench.points("otelkit.tool.calls")} == {
        "orders",
        None,
    }


def request_to(bench: Bench, route: str | None, *calls: dict[str, Any]) -> None:
    """A request with these calls below an agent, which restates their tokens."""
    labels = {} if route is None else {"http.route": route}
    with (
        bench.tracer.start_as_current_span("request", kind=SpanKind.SERVER, attributes=labels),
        bench.tracer.start_as_current_span("a", attributes={**OTEL, "gen_ai.operation.name": "invoke_agent"}),
    ):
        for call in calls:
            bench.span("call", call)


def test_tokens_and_cost_are_counted_by_endpoint_once_the_request_ends() -> None:
    bench = Bench(TokenProcessor)
    embedding = {**OTEL, "gen_ai.operation.name": "embeddings", "gen_ai.request.model": "nobody-prices-this"}
    request_to(bench, "/chat", OTEL, {**OTEL, "gen_ai.response.id": "r2"}, embedding)
    request_to(bench, "/orders/{id}", OTEL)
    request_to(bench, "/health")
    request_to(bench, None, OTEL)
    tokens = {
        (point.attributes.get("http.route"), point.attributes["gen_ai.token.type"]): point.value
        for point in bench.points("otelkit.route.tokens")
    }
    assert tokens == {
        ("/chat", "input"): 300,
        ("/chat", "output"): 60,
        ("/orders/{id}", "input"): 100,
        ("/orders/{id}", "output"): 20,
        (None, "input"): 100,
        (None, "output"): 20,
    }
    cost = {point.attributes.get("http.route"): point.value for point in bench.points("otelkit.route.cost")}
    assert cost == {"/chat": pytest.approx(2 * COST), "/orders/{id}": pytest.approx(COST), None: pytest.approx(COST)}


def test_tokens_of_very_many_open_requests_are_counted_without_an_endpoint_and_none_is_lost() -> None:
    bench = Bench(TokenProcessor)
    roots = [bench.tracer.start_span("request") for _ in range(2100)]
    for root in roots:
        bench.tracer.start_span("call", set_span_in_context(root), attributes=OTEL).end()
    assert by_route(bench) == {None: 52 * 120}
    for root in roots:
        root.set_attribute("http.route", "/slow")
        root.end()
    assert by_route(bench) == {None: 52 * 120, "/slow": 2048 * 120}


def by_route(bench: Bench) -> dict[str | None, float]:
    """Tokens by endpoint."""
    found: dict[str | None, float] = {}
    for point in bench.points("otelkit.route.tokens"):
        route = point.attributes.get("http.route")
        found[route] = found.get(route, 0) + point.value
    return found


def call_in(bench: Bench, context: Context, number: int = 0) -> None:
    """One call of 120 tokens, which another is not taken for."""
    attributes = {**OTEL, "gen_ai.response.id": f"r-{number}"}
    bench.tracer.start_span("call", context, attributes=attributes).end()


def test_calls_of_a_task_that_outlives_its_request_are_counted_on_its_route() -> None:
    bench = Bench(TokenProcessor)
    request = bench.tracer.start_span("request", kind=SpanKind.SERVER)
    task = set_span_in_context(bench.tracer.start_span("task", set_span_in_context(request)))
    under_way = bench.tracer.start_span("call", task, attributes=OTEL)
    request.set_attribute("http.route", "/chat")
    request.end()
    under_way.end()
    for number in range(10):
        request_to(bench, "/orders/{id}", OTEL)
        call_in(bench, task, number)
    assert by_route(bench) == {"/chat": 11 * 120, "/orders/{id}": 10 * 120}


def test_calls_are_counted_on_their_own_request_where_a_service_calls_itself() -> None:
    bench = Bench(TokenProcessor)
    outer = bench.tracer.start_span("request", kind=SpanKind.SERVER, attributes={"http.route": "/chat"})
    inside = set_span_in_context(outer)
    call_in(bench, inside, 1)
    sent = bench.tracer.start_span("GET", inside, kind=SpanKind.CLIENT)
    carrier: dict[str, str] = {}
    propagator = TraceContextTextMapPropagator()
    propagator.inject(carrier, set_span_in_context(sent))
    inner = bench.tracer.start_span(
        "request", propagator.extract(carrier), kind=SpanKind.SERVER, attributes={"http.route": "/suggest"}
    )
    assert inner.get_span_context().trace_id == outer.get_span_context().trace_id
    call_in(bench, set_span_in_context(inner), 2)
    call_in(bench, set_span_in_context(inner), 3)
    for span in (inner, sent):
        span.end()
    call_in(bench, inside, 4)
    call_in(bench, inside, 5)
    outer.end()
    assert by_route(bench) == {"/chat": 3 * 120, "/suggest": 2 * 120}


def test_calls_of_a_request_that_is_known_by_its_ids_only_are_counted_on_its_route() -> None:
    bench = Bench(TokenProcessor)
    request = bench.tracer.start_span("request", kind=SpanKind.SERVER, attributes={"http.route": "/chat"})
    call_in(bench, set_span_in_context(NonRecordingSpan(request.get_span_context())))
    request.end()
    assert by_route(bench) == {"/chat": 120}


def test_requests_that_go_on_are_counted_when_flushed_and_without_a_route_at_the_end() -> None:
    processors: list[TokenProcessor] = []

    def made(**options: Any) -> TokenProcessor:
        processors.append(TokenProcessor(**options))
        return processors[0]

    bench = Bench(made)
    chat = bench.tracer.start_span("ws", kind=SpanKind.SERVER, attributes={"http.route": "/ws"})
    job = bench.tracer.start_span("job")
    for span in (chat, job):
        call_in(bench, set_span_in_context(span))
    assert by_route(bench) == {}
    processors[0].force_flush()
    assert by_route(bench) == {"/ws": 120}
    call_in(bench, set_span_in_context(chat))
    processors[0].shutdown()
    assert by_route(bench) == {"/ws": 240, None: 120}
    for span in (chat, job):
        span.end()
    assert by_route(bench) == {"/ws": 240, None: 120}, "each once"


def test_roots_are_remembered_of_a_bounded_number_of_spans() -> None:
    roots = Roots()
    tracer = TracerProvider().get_tracer("test")
    for _ in range(3):
        for _ in range(5000):
            span = tracer.start_span("never ended")
            assert isinstance(span, ReadableSpan)
            roots.note(span, None)
        roots.of(Converter().span(span))
    assert len(roots._known) + len(roots._notes) < 9000


def test_retrieval_figures_and_the_pipelines_latency() -> None:
    bench = Bench(RagProcessor)
    retrieval = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "handbook"}
    found = {**retrieval, "otelkit.retrieval.result_count": 2, "otelkit.retrieval.scores": [0.9, 0.4]}
    start = time.time_ns()
    root = bench.tracer.start_span(
        "GET /chat", kind=SpanKind.SERVER, attributes={"http.route": "/chat"}, start_time=start
    )
    inside = set_span_in_context(root)
    for name, attributes, begin, end in (
        ("retrieval", found, 1.0, 1.5),
        ("retrieval", {**retrieval, "otelkit.retrieval.result_count": 0}, 1.6, 1.7),
        ("chat", OTEL, 2.0, 4.0),
    ):
        child = bench.tracer.start_span(name, inside, attributes=attributes, start_time=start + int(begin * 1e9))
        child.end(start + int(end * 1e9))
    root.end(start + 5_000_000_000)
    (results,) = bench.points("otelkit.retrieval.results")
    assert (results.count, results.sum) == (2, 2)
    (scores,) = bench.points("otelkit.retrieval.score")
    assert (scores.count, scores.max) == (2, 0.9)
    assert [point.value for point in bench.points("otelkit.retrieval.empty")] == [1]
    (pipeline,) = bench.points("otelkit.rag.duration")
    assert pipeline.sum == pytest.approx(3.0)
    assert pipeline.attributes == {"http.route": "/chat"}


def test_agents_workflows_and_jobs() -> None:
    bench = Bench(StepProcessor)
    bench.span("a", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "support"})
    bench.span("w", {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "answer"})
    bench.span("j", {"gen_ai.operation.name": "run_job", "otelkit.job.name": "nightly"})
    for name in ("gen_ai.invoke_agent.duration", "gen_ai.invoke_workflow.duration", "otelkit.job.duration"):
        assert [point.count for point in bench.points(name)] == [1]


@pytest.fixture
def forgiving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Guard, "strict", False)
    monkeypatch.setattr(guard, "swallowed", 0)


def test_a_processor_that_fails_does_not_reach_the_application(forgiving: None) -> None:
    class Broken(MeasuringProcessor):
        def measurements(self, span: object) -> Any:
            raise RuntimeError("bug")

    bench = Bench(Broken)
    with bench.tracer.start_as_current_span("x"):
        pass
    assert guard.swallowed == 1


def test_a_signal_handler_may_log_in_the_middle_of_logging() -> None:
    class Interrupted(str):
        """A topic during whose look-up a signal handler runs."""

        __slots__ = ()

        def __hash__(self) -> int:
            log_sparsely("from the handler", "shutting down")
            return super().__hash__()

    working = threading.Thread(target=log_sparsely, args=(Interrupted("topic"), "working"), daemon=True)
    working.start()
    working.join(5)
    assert not working.is_alive()


def test_names_made_of_data_do_not_fill_the_memory(caplog: pytest.LogCaptureFixture) -> None:
    guard_module._last_said.clear()
    for i in range(3):
        track(f"clicked.{i}")
    assert caplog.text.count("withheld") == 1
    for i in range(1_000):
        log_sparsely(f"topic {i}", "said")
    assert len(guard_module._last_said) <= 256
