"""The service itself: LLM calls, retrieval, tools, requests, and telemetry's own."""

from __future__ import annotations

from typing import Final

from otelkit.semconv.attributes import Core, GenAI, Otelkit
from otelkit.semconv.metrics.definition import Instrument, MetricDef, Profile

__all__ = ["Metrics"]

_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS: Final = tuple(float(4**power) for power in range(14))
_AGENT_SECONDS: Final = tuple(0.1 * 2**power for power in range(13))
_WORKFLOW_SECONDS: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
_RAG_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TOKEN_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_HTTP_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_SCORES: Final = tuple(round(step / 10, 1) for step in range(11))

_MODEL: Final = (GenAI.OPERATION, GenAI.PROVIDER, GenAI.REQUEST_MODEL, GenAI.RESPONSE_MODEL)
_ROUTE: Final = (Core.HTTP_METHOD, Core.HTTP_ROUTE, Core.HTTP_STATUS, Core.ERROR_TYPE)
_TOOL: Final = (GenAI.TOOL_NAME, Otelkit.TOOL_INTEGRATION, Otelkit.TOOL_ACTION, Otelkit.OUTCOME)


class Metrics:
    """The catalogue's entries by what they measure."""

    # --- LLM calls -----------------------------------------------------------------------------------------------
    TOKEN_USAGE: Final = MetricDef(
        "gen_ai.client.token.usage",
        Instrument.HISTOGRAM,
        "{token}",
        "Tokens of one LLM or embedding call, input (cached included) and output (reasoning included).",
        (*_MODEL, GenAI.TOKEN_TYPE),
        _TOKENS,
        Profile.CLASSIC,
    )
    OPERATION_DURATION: Final = MetricDef(
        "gen_ai.client.operation.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one LLM or embedding call.",
        (*_MODEL, Core.ERROR_TYPE),
        _SECONDS,
        Profile.CLASSIC,
    )
    TIME_TO_FIRST_CHUNK: Final = MetricDef(
        "gen_ai.client.operation.time_to_first_chunk",
        Instrument.HISTOGRAM,
        "s",
        "Time from the request to the first chunk of a streamed answer.",
        _MODEL,
        _SECONDS,
        Profile.CLASSIC,
    )
    INFERENCE_INPUT_TOKENS: Final = MetricDef(
        "gen_ai.client.inference.operation.input_tokens",
        Instrument.HISTOGRAM,
        "{token}",
        "Input tokens of one LLM call, cached included.",
        _MODEL,
        _TOKENS,
        Profile.LATEST,
    )
    INFERENCE_OUTPUT_TOKENS: Final = MetricDef(
        "gen_ai.client.inference.operation.output_tokens",
        Instrument.HISTOGRAM,
        "{token}",
        "Output tokens of one LLM call, reasoning included.",
        _MODEL,
        _TOKENS,
        Profile.LATEST,
    )
    INFERENCE_DURATION: Final = MetricDef(
        "gen_ai.client.inference.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one LLM call.",
        (*_MODEL, Core.ERROR_TYPE),
        _SECONDS,
        Profile.LATEST,
    )
    INFERENCE_TIME_TO_FIRST_CHUNK: Final = MetricDef(
        "gen_ai.client.inference.time_to_first_chunk",
        Instrument.HISTOGRAM,
        "s",
        "Time from the request to the first chunk of a streamed answer.",
        _MODEL,
        _SECONDS,
        Profile.LATEST,
    )
    LLM_TOKENS: Final = MetricDef(
        "otelkit.llm.tokens",
        Instrument.COUNTER,
        "{token}",
        "Tokens by type. Input includes cache_read and cache_write, output includes reasoning: do not add them up.",
        (*_MODEL, GenAI.TOKEN_TYPE),
    )
    LLM_COST: Final = MetricDef(
        "otelkit.llm.cost",
        Instrument.COUNTER,
        "USD",
        "Cost of priced calls in US dollars. Calls without a price are in otelkit.llm.unpriced, never here as zero.",
        (*_MODEL, Otelkit.COST_SOURCE),
    )
    LLM_UNPRICED: Final = MetricDef(
        "otelkit.llm.unpriced",
        Instrument.COUNTER,
        "{call}",
        "Calls whose cost is unknown: no price for the model, or no tokens reported.",
        _MODEL,
    )
    LLM_CALLS: Final = MetricDef(
        "otelkit.llm.calls",
        Instrument.COUNTER,
        "{call}",
        "LLM and embedding calls by outcome and finish reason.",
        (*_MODEL, GenAI.FINISH_REASONS, Otelkit.OUTCOME),
    )
    ROUTE_TOKENS: Final = MetricDef(
        "otelkit.route.tokens",
        Instrument.COUNTER,
        "{token}",
        "Tokens by endpoint, counted when the request ends; without http.route for what is no request.",
        (Core.HTTP_ROUTE, GenAI.TOKEN_TYPE),
    )
    ROUTE_COST: Final = MetricDef(
        "otelkit.route.cost",
        Instrument.COUNTER,
        "USD",
        "Cost of priced calls by endpoint in US dollars, counted as otelkit.route.tokens is.",
        (Core.HTTP_ROUTE,),
    )
    TIME_PER_OUTPUT_TOKEN: Final = MetricDef(
        "otelkit.llm.time_per_output_token",
        Instrument.HISTOGRAM,
        "s",
        "Time for each output token after the first chunk of a streamed answer.",
        _MODEL,
        _TOKEN_SECONDS,
    )

    # --- retrieval -----------------------------------------------------------------------------------------------
    RETRIEVAL_DURATION: Final = MetricDef(
        "otelkit.retrieval.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one retrieval (vector or text search).",
        (GenAI.DATA_SOURCE_ID, Core.ERROR_TYPE),
        _RAG_SECONDS,
    )
    RETRIEVAL_RESULTS: Final = MetricDef(
        "otelkit.retrieval.results",
        Instrument.HISTOGRAM,
        "{document}",
        "Documents a retrieval gave back.",
        (GenAI.DATA_SOURCE_ID,),
        (0.0, 1.0, 5.0, 10.0, 20.0, 50.0),
    )
    RETRIEVAL_SCORE: Final = MetricDef(
        "otelkit.retrieval.score",
        Instrument.HISTOGRAM,
        "1",
        "Similarity scores of retrieved documents.",
        (GenAI.DATA_SOURCE_ID,),
        _SCORES,
    )
    RETRIEVAL_EMPTY: Final = MetricDef(
        "otelkit.retrieval.empty",
        Instrument.COUNTER,
        "{retrieval}",
        "Retrievals that found nothing.",
        (GenAI.DATA_SOURCE_ID,),
    )
    EMBEDDING_DURATION: Final = MetricDef(
        "otelkit.embedding.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one embedding call.",
        (GenAI.PROVIDER, GenAI.REQUEST_MODEL, Core.ERROR_TYPE),
        _RAG_SECONDS,
    )
    RERANK_DURATION: Final = MetricDef(
        "otelkit.rerank.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one rerank.",
        (Otelkit.RERANK_MODEL, Core.ERROR_TYPE),
        _RAG_SECONDS,
    )
    RAG_PIPELINE_DURATION: Final = MetricDef(
        "otelkit.rag.duration",
        Instrument.HISTOGRAM,
        "s",
        "Latency of the whole pipeline in one trace: from the first embedding or retrieval to the last LLM call's end.",
        (Core.HTTP_ROUTE,),
        _SECONDS,
    )

    # --- tools, agents, workflows --------------------------------------------------------------------------------
    TOOL_DURATION: Final = MetricDef(
        "gen_ai.execute_tool.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one tool call.",
        (GenAI.TOOL_NAME, GenAI.TOOL_TYPE, Otelkit.TOOL_INTEGRATION, GenAI.AGENT_NAME, Core.ERROR_TYPE),
        _SECONDS,
    )
    TOOL_CALLS: Final = MetricDef(
        "otelkit.tool.calls",
        Instrument.COUNTER,
        "{call}",
        "Tool calls by integration, action and outcome.",
        _TOOL,
    )
    AGENT_DURATION: Final = MetricDef(
        "gen_ai.invoke_agent.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one agent run.",
        (GenAI.AGENT_NAME, Core.ERROR_TYPE),
        _AGENT_SECONDS,
    )
    WORKFLOW_DURATION: Final = MetricDef(
        "gen_ai.invoke_workflow.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of one workflow run.",
        (GenAI.WORKFLOW_NAME, Core.ERROR_TYPE),
        _WORKFLOW_SECONDS,
    )

    # --- HTTP ----------------------------------------------------------------------------------------------------
    HTTP_DURATION: Final = MetricDef(
        "http.server.request.duration",
        Instrument.HISTOGRAM,
        "s",
        "Duration of HTTP requests by route template.",
        (*_ROUTE, Core.URL_SCHEME, "network.protocol.version"),
        _HTTP_SECONDS,
    )
    HTTP_ACTIVE: Final = MetricDef(
        "http.server.active_requests",
        Instrument.UP_DOWN_COUNTER,
        "{request}",
        "HTTP requests in progress.",
        (Core.HTTP_METHOD, Core.URL_SCHEME),
    )
    SLOW_REQUESTS: Final = MetricDef(
        "otelkit.http.slow_requests",
        Instrument.COUNTER,
        "{request}",
        "Requests that took longer than OTELKIT_SLOW_REQUEST_SECONDS.",
        (Core.HTTP_METHOD, Core.HTTP_ROUTE),
    )

    # --- the process and otelkit itself --------------------------------------------------------------------------
    UPTIME: Final = MetricDef(
        "process.uptime",
        Instrument.GAUGE,
        "s",
        "Time since telemetry started in this process.",
    )
    DROPPED: Final = MetricDef(
        "otelkit.telemetry.dropped",
        Instrument.COUNTER,
        "{record}",
        "Spans, log records and metric points that were not delivered, by reason.",
        (Otelkit.SIGNAL, Otelkit.DROP_REASON),
    )
    EXPORTED: Final = MetricDef(
        "otelkit.telemetry.exported",
        Instrument.COUNTER,
        "{record}",
        "Records the endpoint acknowledged.",
        (Otelkit.SIGNAL,),
    )
    EVENTS_WITHHELD: Final = MetricDef(
        "otelkit.events.withheld",
        Instrument.COUNTER,
        "{event}",
        "Product events not created, by reason (no consent, invalid properties).",
        ("event.name", Otelkit.DROP_REASON),
    )
    DOCTOR_CHECKS: Final = MetricDef(
        "otelkit.doctor.checks",
        Instrument.COUNTER,
        "{check}",
        "Marked points by which `otelkit doctor` sees where metrics end; nothing else sends it.",
        ("mark",),
    )
