"""What each alert rule must and must not fire on: series as they come through the Collector, and what people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from otelkit.provision.alerts.definition import HEARTBEAT
from otelkit.provision.foreign import SIGNAL, AlertmanagerMetrics, CollectorMetrics, PrometheusMetrics
from otelkit.provision.promql import label
from otelkit.semconv.attributes import (
    Core,
    Database,
    Errors,
    Event,
    GenAI,
    Messaging,
    Otelkit,
    Security,
    System,
    WebSocket,
)
from otelkit.semconv.metrics import (
    ContainerMetrics,
    DatabaseMetrics,
    ErrorMetrics,
    HostMetrics,
    JobMetrics,
    MetricDef,
    Metrics,
    RequestMetrics,
    SecurityMetrics,
    ServerMetrics,
)

__all__ = ["CASES", "Case"]

_SHOP: Final = {Core.SERVICE_NAME: "shop", Core.DEPLOYMENT_ENVIRONMENT: "production"}
_PROCESS: Final = {**_SHOP, "job": "shop", "instance": "one"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series (a sample a minute, as promtool writes them) and what one rule makes of them at a time.

    ``says`` is the summary of the only alert, with the attributes in ``about``; empty: the rule is quiet.
    """

    rule: str
    why: str
    at: str
    series: Mapping[str, str]
    says: str = ""
    about: Mapping[str, str] = field(default_factory=dict)


def _of(metric: MetricDef, values: str, more: Mapping[str, str] | None = None, suffix: str = "") -> dict[str, str]:
    return _raw(metric, values, {**_PROCESS, **(more or {})}, suffix)


def _raw(metric: MetricDef, values: str, labels: Mapping[str, str], suffix: str = "") -> dict[str, str]:
    inside = ", ".join(f'{label(name)}="{value}"' for name, value in labels.items())
    return {f"{metric.collected_name}{suffix}{{{inside}}}": values}


def _between(metric: MetricDef, low: float, high: float, values: str, more: Mapping[str, str]) -> dict[str, str]:
    """A histogram all of whose recordings lie between two of its boundaries."""
    assert metric.boundaries[metric.boundaries.index(low) + 1] == high
    bounds = {f"{low:g}": "0x200", f"{high:g}": values, "+Inf": values}
    made = _of(metric, values, more, "_count")
    for bound, count in bounds.items():
        made |= _of(metric, count, {**more, "le": bound}, "_bucket")
    return made


_ALIVE: Final = _of(Metrics.UPTIME, "0+60x200")
_OLD: Final = _of(Metrics.UPTIME, "900000+60x200")


# --- requests ------------------------------------------------------------------------------------------------------

_POST: Final = {Core.HTTP_METHOD: "POST", Core.HTTP_ROUTE: "/chat"}
_ROUTE: Final = {**_SHOP, **_POST}


def _answers(good: str, bad: str) -> dict[str, str]:
    made = _of(Metrics.HTTP_DURATION, good, {**_POST, Core.HTTP_STATUS: "200"}, "_count")
    return made | (_of(Metrics.HTTP_DURATION, bad, {**_POST, Core.HTTP_STATUS: "503"}, "_count") if bad else {})


def _budget(value: float, limit: float) -> dict[str, str]:
    target = {Otelkit.BUDGET_TARGET: "POST /chat", Otelkit.BUDGET_MEASURE: "p95"}
    used = _of(RequestMetrics.BUDGET_VALUE, f"{value}x60", target)
    return used | _of(RequestMetrics.BUDGET_LIMIT, f"{limit}x60", target)


_TARGET: Final = {**_SHOP, Otelkit.BUDGET_TARGET: "POST /chat", Otelkit.BUDGET_MEASURE: "p95"}


def _sockets(still: int, closed: str, code: int) -> dict[str, str]:
    route = {Core.HTTP_ROUTE: "/ws"}
    gone = _of(RequestMetrics.WEBSOCKET_DISCONNECTS, closed, {**route, WebSocket.CLOSE_CODE: str(code)})
    return _of(RequestMetrics.WEBSOCKETS, f"{still}x60", route) | gone | _ALIVE


_REQUESTS: Final = (
    Case(
        rule="HighErrorRate",
        why="one request in twenty fails",
        at="15m",
        series=_answers("0+95x30", "0+5x30"),
        says="shop: 5% of requests fail",
        about=_SHOP,
    ),
    Case(rule="HighErrorRate", why="one in two hundred fails", at="15m", series=_answers("0+199x30", "0+1x30")),
    Case(rule="HighErrorRate", why="half fail, of ten a minute", at="15m", series=_answers("0+5x30", "0+5x30")),
    Case(rule="HighErrorRate", why="failed for three minutes", at="15m", series=_answers("0+95x30", "0+50x3 150x30")),
    Case(
        rule="VeryHighErrorRate",
        why="half of few requests fail",
        at="6m",
        series=_answers("0+5x30", "0+5x30"),
        says="shop: 50% of requests fail",
        about=_SHOP,
    ),
    Case(rule="VeryHighErrorRate", why="one in twenty fails", at="15m", series=_answers("0+95x30", "0+5x30")),
    Case(rule="VeryHighErrorRate", why="three a minute, all fail", at="15m", series=_answers("0x30", "0+3x30")),
    Case(
        rule="SlowRequests",
        why="every request takes five to seven and a half seconds",
        at="20m",
        series=_between(Metrics.HTTP_DURATION, 5.0, 7.5, "0+10x30", _POST),
        says="shop: p95 of POST /chat is 7.375s",
        about=_ROUTE,
    ),
    Case(
        rule="SlowRequests",
        why="requests take up to five seconds",
        at="20m",
        series=_between(Metrics.HTTP_DURATION, 2.5, 5.0, "0+10x30", _POST),
    ),
    Case(
        rule="SlowRequests",
        why="one slow request a minute",
        at="20m",
        series=_between(Metrics.HTTP_DURATION, 5.0, 7.5, "0+1x30", _POST),
    ),
    Case(
        rule="RouteNearBudget",
        why="1.8 s of 2 s",
        at="12m",
        series=_budget(1.8, 2),
        says="shop: p95 of POST /chat is at 90% of its budget",
        about=_TARGET,
    ),
    Case(rule="RouteNearBudget", why="1.5 s of 2 s", at="30m", series=_budget(1.5, 2)),
    Case(
        rule="RouteOverBudget",
        why="3 s of 2 s",
        at="12m",
        series=_budget(3, 2),
        says="shop: p95 of POST /chat is at 150% of its budget",
        about=_TARGET,
    ),
    Case(rule="RouteOverBudget", why="just within", at="30m", series=_budget(2, 2)),
    Case(
        rule="WebSocketDisconnects",
        why="forty still open, two a minute break",
        at="15m",
        series=_sockets(40, "0+2x30", 1006),
        says="shop: 20% of WebSocket connections broke in 5 minutes",
        about=_SHOP,
    ),
    Case(rule="WebSocketDisconnects", why="browsers go away", at="15m", series=_sockets(40, "0+9x30", 1001)),
    Case(rule="WebSocketDisconnects", why="five of nine break", at="15m", series=_sockets(4, "0+1x30", 1006)),
)


# --- errors and security -------------------------------------------------------------------------------------------


def _error(values: str, unhandled: bool = True) -> dict[str, str]:
    words = {Core.ERROR_TYPE: "ValueError", Errors.CATEGORY: "bug", Errors.UNHANDLED: str(unhandled).lower()}
    return _of(ErrorMetrics.ERRORS, values, words)


def _security(kind: str, values: str) -> dict[str, str]:
    return _of(SecurityMetrics.EVENTS, values, {Security.KIND: kind, Event.OUTCOME: "failure"}) | _ALIVE


_ERRORS: Final = (
    Case(
        rule="UnhandledErrors",
        why="a counter that begins at 12",
        at="15m",
        series=_error("_x10 12x30") | _ALIVE,
        says="shop: 12 unhandled errors in 15 minutes",
        about=_SHOP,
    ),
    Case(rule="UnhandledErrors", why="a counter that begins at 10", at="15m", series=_error("_x10 10x30") | _ALIVE),
    Case(rule="UnhandledErrors", why="handled ones", at="15m", series=_error("_x10 99x30", unhandled=False) | _ALIVE),
    Case(
        rule="UnhandledErrors",
        why="an old process after a gap",
        at="15m",
        series=_error("_x10 99x30") | dict.fromkeys(_ALIVE, "_x10 900000+60x30"),
    ),
    Case(
        rule="NewError",
        why="the first ValueError after 70 minutes",
        at="72m",
        series=_error("_x70 1x30") | _ALIVE,
        says="shop: first ValueError in a day",
        about={**_SHOP, Core.ERROR_TYPE: "ValueError"},
    ),
    Case(rule="NewError", why="known for an hour", at="72m", series=_error("_x10 1+1x90") | _ALIVE),
    Case(rule="NewError", why="a service that has just begun", at="12m", series=_error("_x10 1x30") | _ALIVE),
    Case(
        rule="SecurityBurst",
        why="25 failed log-ins, none before",
        at="10m",
        series=_security("authentication.failed", "_x5 25x30"),
        says="shop: 25 times authentication.failed in 10 minutes",
        about={**_SHOP, Security.KIND: "authentication.failed"},
    ),
    Case(rule="SecurityBurst", why="20", at="10m", series=_security("authentication.failed", "_x5 20x30")),
    Case(
        rule="TokenMisused",
        why="once",
        at="10m",
        series=_security("token.misused", "_x5 1x30"),
        says="shop: a token was misused (1 times in 10 minutes)",
        about={**_SHOP, Security.KIND: "token.misused"},
    ),
    Case(rule="TokenMisused", why="failed log-ins", at="10m", series=_security("authentication.failed", "_x5 9x30")),
    Case(rule="TokenMisused", why="long ago", at="60m", series=_security("token.misused", "_x5 1x90")),
)


# --- models, retrieval, tools --------------------------------------------------------------------------------------

_GPT: Final = {GenAI.PROVIDER: "openai", GenAI.REQUEST_MODEL: "gpt-4o"}
_MODEL: Final = {**_SHOP, **_GPT}


def _calls(good: str, bad: str = "", operation: str = "chat") -> dict[str, str]:
    called = {**_GPT, GenAI.OPERATION: operation}
    made = _of(Metrics.LLM_CALLS, good, {**called, Otelkit.OUTCOME: "success"})
    return made | (_of(Metrics.LLM_CALLS, bad, {**called, Otelkit.OUTCOME: "error"}) if bad else {}) | _ALIVE


def _took(metric: MetricDef, low: float, high: float, calls: str, operation: str = "chat") -> dict[str, str]:
    times = _between(metric, low, high, calls, {**_GPT, GenAI.OPERATION: operation})
    return times | _calls(calls, operation=operation)


def _searches(metric: MetricDef, values: str, suffix: str = "") -> dict[str, str]:
    return _of(metric, values, {GenAI.DATA_SOURCE_ID: "handbook"}, suffix)


def _found_nothing(asked: str, empty: str) -> dict[str, str]:
    return _searches(Metrics.RETRIEVAL_DURATION, asked, "_count") | _searches(Metrics.RETRIEVAL_EMPTY, empty) | _ALIVE


def _tool(good: str, bad: str) -> dict[str, str]:
    used = {GenAI.TOOL_NAME: "find_order", Otelkit.TOOL_INTEGRATION: "shop", Otelkit.TOOL_ACTION: "read"}
    made = _of(Metrics.TOOL_CALLS, good, {**used, Otelkit.OUTCOME: "success"})
    return made | _of(Metrics.TOOL_CALLS, bad, {**used, Otelkit.OUTCOME: "error"}) | _ALIVE


_SOURCE: Final = {**_SHOP, GenAI.DATA_SOURCE_ID: "handbook"}
_HANDBOOK: Final = {GenAI.DATA_SOURCE_ID: "handbook"}
_MODELS: Final = (
    Case(
        rule="SlowModel",
        why="calls take ten to twenty seconds",
        at="20m",
        series=_took(Metrics.OPERATION_DURATION, 10.24, 20.48, "0+5x30"),
        says="shop: p95 of gpt-4o is 19.97s",
        about=_MODEL,
    ),
    Case(
        rule="SlowModel",
        why="the same under the latest convention's name",
        at="20m",
        series=_took(Metrics.INFERENCE_DURATION, 10.24, 20.48, "0+5x30"),
        says="shop: p95 of gpt-4o is 19.97s",
        about=_MODEL,
    ),
    Case(
        rule="SlowModel",
        why="calls take two to five seconds",
        at="20m",
        series=_took(Metrics.OPERATION_DURATION, 2.56, 5.12, "0+5x30"),
    ),
    Case(
        rule="SlowModel",
        why="one slow call a minute",
        at="20m",
        series=_took(Metrics.OPERATION_DURATION, 10.24, 20.48, "0+1x30"),
    ),
    Case(
        rule="SlowModel",
        why="slow embeddings",
        at="20m",
        series=_took(Metrics.OPERATION_DURATION, 10.24, 20.48, "0+5x30", "embeddings"),
    ),
    Case(
        rule="SlowFirstToken",
        why="it begins after five to ten seconds",
        at="20m",
        series=_took(Metrics.TIME_TO_FIRST_CHUNK, 5.12, 10.24, "0+5x30"),
        says="shop: p95 until gpt-4o begins to answer is 9.984s",
        about=_MODEL,
    ),
    Case(
        rule="SlowFirstToken",
        why="it begins after two seconds",
        at="20m",
        series=_took(Metrics.TIME_TO_FIRST_CHUNK, 1.28, 2.56, "0+5x30"),
    ),
    Case(
        rule="ModelErrors",
        why="one call in ten fails",
        at="20m",
        series=_calls("0+9x30", "0+1x30"),
        says="shop: 10% of calls of gpt-4o fail",
        about=_MODEL,
    ),
    Case(rule="ModelErrors", why="one in fifty fails", at="20m", series=_calls("0+49x30", "0+1x30")),
    Case(rule="ModelErrors", why="none ever failed", at="20m", series=_calls("0+49x30")),
    Case(rule="ModelErrors", why="one call a minute, all fail", at="20m", series=_calls("0x30", "0+1x30")),
    Case(
        rule="EmptyRetrievals",
        why="every other one",
        at="40m",
        series=_found_nothing("0+2x60", "0+1x60"),
        says="shop: 50% of retrievals in handbook find nothing",
        about=_SOURCE,
    ),
    Case(rule="EmptyRetrievals", why="one in ten", at="40m", series=_found_nothing("0+10x60", "0+1x60")),
    Case(rule="EmptyRetrievals", why="ten, all empty", at="40m", series=_found_nothing("_x30 10x60", "_x30 10x60")),
    Case(
        rule="SlowRetrieval",
        why="one to two and a half seconds",
        at="40m",
        series=_between(Metrics.RETRIEVAL_DURATION, 1.0, 2.5, "0+2x60", _HANDBOOK) | _ALIVE,
        says="shop: p95 of retrievals in handbook is 2.425s",
        about=_SOURCE,
    ),
    Case(
        rule="SlowRetrieval",
        why="up to a second",
        at="40m",
        series=_between(Metrics.RETRIEVAL_DURATION, 0.5, 1.0, "0+2x60", _HANDBOOK) | _ALIVE,
    ),
    Case(
        rule="ToolFailures",
        why="one call in five",
        at="25m",
        series=_tool("0+4x60", "0+1x60"),
        says="shop: 20% of calls of the tool find_order fail",
        about={**_SHOP, GenAI.TOOL_NAME: "find_order"},
    ),
    Case(rule="ToolFailures", why="one in twenty-five", at="25m", series=_tool("0+24x60", "0+1x60")),
    Case(rule="ToolFailures", why="the only three calls", at="15m", series=_tool("0x60", "_x5 3x60")),
)


# --- cost ----------------------------------------------------------------------------------------------------------


def _spent(dollars: float) -> dict[str, str]:
    """Counted from the first call on: the counter begins at what it cost."""
    return _of(Metrics.LLM_COST, f"_x5 {dollars}x120", {**_GPT, GenAI.OPERATION: "chat"}) | _ALIVE


def _tokens(count: int, kind: str = "input") -> dict[str, str]:
    return _of(Metrics.LLM_TOKENS, f"_x5 {count}x120", {**_GPT, GenAI.TOKEN_TYPE: kind}) | _ALIVE


_ENVIRONMENT: Final = {Core.DEPLOYMENT_ENVIRONMENT: "production"}


def _budget_cases(name: str, near: dict[str, str], over: dict[str, str], says: tuple[str, str]) -> tuple[Case, ...]:
    first, second = (f"All services of production: {words}" for words in says)
    return (
        Case(rule=f"{name}NearBudget", why="90 %", at="30m", series=near, says=first, about=_ENVIRONMENT),
        Case(rule=f"{name}OverBudget", why="110 %", at="30m", series=over, says=second, about=_ENVIRONMENT),
        Case(rule=f"{name}OverBudget", why="90 %", at="30m", series=near),
    )


_COST: Final = (
    Case(
        rule="UnpricedModel",
        why="two calls",
        at="10m",
        series=_of(Metrics.LLM_UNPRICED, "_x5 2x60", _GPT) | _ALIVE,
        says="shop: the cost of 2 calls of gpt-4o is unknown",
        about=_MODEL,
    ),
    Case(rule="UnpricedModel", why="long ago", at="90m", series=_of(Metrics.LLM_UNPRICED, "5x120", _GPT) | _OLD),
    *_budget_cases("DailyCost", _spent(45), _spent(55), ("$45.00 in a day, of $50", "$55.00 in a day, of $50")),
    Case(rule="DailyCostNearBudget", why="70 %", at="30m", series=_spent(35)),
    *_budget_cases(
        "MonthlyCost", _spent(900), _spent(1100), ("$900.00 in 30 days, of $1,000", "$1100.00 in 30 days, of $1,000")
    ),
    Case(rule="MonthlyCostNearBudget", why="70 %", at="30m", series=_spent(700)),
    *_budget_cases(
        "DailyTokens",
        _tokens(18_000_000),
        _tokens(22_000_000, "output"),
        ("18M tokens in a day, of 20,000,000 tokens", "22M tokens in a day, of 20,000,000 tokens"),
    ),
    Case(
        rule="DailyTokensNearBudget",
        why="tokens read from a cache are part of the input",
        at="30m",
        series=_tokens(10_000_000) | _tokens(9_000_000, "cache_read"),
    ),
    Case(
        rule="CostBurn",
        why="30 % in an hour",
        at="30m",
        series=_spent(15),
        says="All services of production: $15.00 in one hour, of $50 a day",
        about=_ENVIRONMENT,
    ),
    Case(rule="CostBurn", why="20 % in an hour", at="30m", series=_spent(10)),
    Case(
        rule="TokenBurn",
        why="30 % in an hour",
        at="30m",
        series=_tokens(6_000_000),
        says="All services of production: 6M tokens in one hour, of 20,000,000 tokens a day",
        about=_ENVIRONMENT,
    ),
    Case(rule="TokenBurn", why="20 % in an hour", at="30m", series=_tokens(4_000_000)),
)


# --- databases, jobs, the machine ----------------------------------------------------------------------------------

_POSTGRES: Final = {Core.DB_SYSTEM: "postgresql"}
_MAIN: Final = {Database.POOL_NAME: "main"}


def _pool(used: int) -> dict[str, str]:
    made = _of(DatabaseMetrics.CONNECTIONS_MAX, "20x60", _MAIN)
    for state, count in (("used", used), ("idle", 20 - used)):
        made |= _of(DatabaseMetrics.CONNECTIONS, f"{count}x60", {**_MAIN, Database.CONNECTION_STATE: state})
    return made


def _syncs(values: str, alive: Mapping[str, str] = _ALIVE) -> dict[str, str]:
    kind = {Otelkit.SYNC_INTEGRATION: "crm", Core.ERROR_TYPE: "Timeout"}
    return {**_of(JobMetrics.SYNC_FAILURES, values, kind), **alive}


def _runs(good: str, bad: str) -> dict[str, str]:
    made = _ALIVE
    for outcome, values in (("success", good), ("error", bad)):
        made = made | _of(JobMetrics.RUNS, values, {Otelkit.JOB_NAME: "nightly", Otelkit.OUTCOME: outcome})
    return made


def _waiting(metric: MetricDef, value: int) -> dict[str, str]:
    return _of(metric, f"{value}x60", {Messaging.DESTINATION: "default", Core.MESSAGING_SYSTEM: "celery"})


def _full(used: int) -> dict[str, str]:
    made: dict[str, str] = {}
    for state, count in (("used", used), ("free", 100 - used)):
        made |= _of(HostMetrics.FILESYSTEM, f"{count}x60", {System.MOUNTPOINT: "/data", System.FILESYSTEM_STATE: state})
    return made


def _memory(used: int, container: int | None = None) -> dict[str, str]:
    made = _of(HostMetrics.MEMORY, f"{used}x60", {System.MEMORY_STATE: "used"}) | _of(
        HostMetrics.MEMORY_LIMIT, "100x60"
    )
    if container is not None:
        made |= _of(ContainerMetrics.WORKING_SET, f"{container}x60") | _of(ContainerMetrics.MEMORY_LIMIT, "50x60")
    return made


_MACHINE: Final = {**_SHOP, "instance": "one"}
_DISK: Final = {**_MACHINE, System.MOUNTPOINT: "/data"}
_QUEUE: Final = {**_SHOP, Messaging.DESTINATION: "default"}
_WORK: Final = (
    Case(
        rule="SlowQueries",
        why="three a minute",
        at="20m",
        series=_of(DatabaseMetrics.SLOW, "0+3x60", _POSTGRES) | _ALIVE,
        says="shop: 30 slow queries of postgresql in 10 minutes",
        about={**_SHOP, **_POSTGRES},
    ),
    Case(
        rule="SlowQueries", why="two a minute", at="20m", series=_of(DatabaseMetrics.SLOW, "0+2x60", _POSTGRES) | _ALIVE
    ),
    Case(
        rule="SlowDatabase",
        why="calls take half a second to a second",
        at="20m",
        series=_between(DatabaseMetrics.DURATION, 0.5, 1.0, "0+20x60", _POSTGRES),
        says="shop: p95 of calls of postgresql is 975ms",
        about={**_SHOP, **_POSTGRES},
    ),
    Case(
        rule="SlowDatabase",
        why="calls take up to half a second",
        at="20m",
        series=_between(DatabaseMetrics.DURATION, 0.1, 0.5, "0+20x60", _POSTGRES),
    ),
    Case(
        rule="SlowDatabase",
        why="five slow calls a minute",
        at="20m",
        series=_between(DatabaseMetrics.DURATION, 0.5, 1.0, "0+5x60", _POSTGRES),
    ),
    Case(
        rule="SlowDatabaseConnection",
        why="it takes half a second to a second",
        at="20m",
        series=_between(DatabaseMetrics.WAIT_TIME, 0.5, 1.0, "0+5x60", _MAIN),
        says="shop: p95 of getting a connection of main is 975ms",
        about={**_SHOP, **_MAIN},
    ),
    Case(
        rule="SlowDatabaseConnection",
        why="it takes up to half a second",
        at="20m",
        series=_between(DatabaseMetrics.WAIT_TIME, 0.1, 0.5, "0+5x60", _MAIN),
    ),
    Case(
        rule="DatabasePoolNearlyFull",
        why="19 of 20",
        at="10m",
        series=_pool(19),
        says="shop: 95% of the connections of main are in use",
        about={**_SHOP, **_MAIN},
    ),
    Case(rule="DatabasePoolNearlyFull", why="18 of 20", at="20m", series=_pool(18)),
    Case(
        rule="DatabasePoolTimeouts",
        why="eight, none before",
        at="7m",
        series=_of(DatabaseMetrics.TIMEOUTS, "_x5 8x60", _MAIN) | _ALIVE,
        says="shop: 8 callers got no connection of main in 5 minutes",
        about={**_SHOP, **_MAIN},
    ),
    Case(
        rule="DatabasePoolTimeouts",
        why="five",
        at="7m",
        series=_of(DatabaseMetrics.TIMEOUTS, "_x5 5x60", _MAIN) | _ALIVE,
    ),
    Case(
        rule="SyncFailures",
        why="a counter that begins at 4",
        at="40m",
        series=_syncs("_x30 4x60"),
        says="shop: 4 syncs with crm failed in an hour",
        about={**_SHOP, Otelkit.SYNC_INTEGRATION: "crm"},
    ),
    Case(
        rule="SyncFailures",
        why="four by and by, of a process that has run for days",
        at="80m",
        series=_syncs("7x30 8x10 9x10 10x10 11x60", _OLD),
        says="shop: 4 syncs with crm failed in an hour",
        about={**_SHOP, Otelkit.SYNC_INTEGRATION: "crm"},
    ),
    Case(
        rule="SyncFailures",
        why="four before the process ended",
        at="50m",
        series=_syncs("_x30 4x5", dict.fromkeys(_ALIVE, "0+60x35")),
        says="shop: 4 syncs with crm failed in an hour",
        about={**_SHOP, Otelkit.SYNC_INTEGRATION: "crm"},
    ),
    Case(rule="SyncFailures", why="three", at="40m", series=_syncs("_x30 3x60")),
    Case(rule="SyncFailures", why="three by and by", at="80m", series=_syncs("7x30 8x10 9x10 10x90", _OLD)),
    Case(
        rule="SyncFailures",
        why="a hundred in all, first seen after a gap",
        at="95m",
        series=_syncs("_x90 100x60", dict.fromkeys(_ALIVE, "_x90 900000+60x60")),
    ),
    Case(
        rule="JobFailures",
        why="every other run",
        at="70m",
        series=_runs("0+1x90", "0+1x90"),
        says="shop: 50% of runs of the job nightly fail",
        about={**_SHOP, Otelkit.JOB_NAME: "nightly"},
    ),
    Case(rule="JobFailures", why="one in thirty", at="70m", series=_runs("0+29x90", "0+1x90")),
    Case(rule="JobFailures", why="two of two", at="30m", series=_runs("0x60", "_x5 2x60")),
    Case(
        rule="QueueLong",
        why="150 for 20 minutes",
        at="20m",
        series=_waiting(JobMetrics.QUEUE_LENGTH, 150),
        says="shop: 150 jobs wait in default",
        about=_QUEUE,
    ),
    Case(rule="QueueLong", why="150 for 10 minutes", at="10m", series=_waiting(JobMetrics.QUEUE_LENGTH, 150)),
    Case(rule="QueueLong", why="100", at="30m", series=_waiting(JobMetrics.QUEUE_LENGTH, 100)),
    Case(
        rule="QueueOld",
        why="twelve minutes",
        at="10m",
        series=_waiting(JobMetrics.QUEUE_OLDEST, 720),
        says="shop: the oldest job in default has waited 12m 0s",
        about=_QUEUE,
    ),
    Case(rule="QueueOld", why="eight minutes", at="10m", series=_waiting(JobMetrics.QUEUE_OLDEST, 480)),
    Case(rule="DiskNearlyFull", why="90 %", at="10m", series=_full(90), says="shop: /data is 90% full", about=_DISK),
    Case(rule="DiskNearlyFull", why="80 %", at="10m", series=_full(80)),
    Case(rule="DiskFull", why="97 %", at="10m", series=_full(97), says="shop: /data is 97% full", about=_DISK),
    Case(rule="DiskFull", why="90 %", at="10m", series=_full(90)),
    Case(
        rule="MemoryNearlyFull",
        why="95 % of the machine",
        at="15m",
        series=_memory(95),
        says="shop: 95% of the memory is in use",
        about=_MACHINE,
    ),
    Case(
        rule="MemoryNearlyFull",
        why="96 % of the container, half of the machine",
        at="15m",
        series=_memory(50, container=48),
        says="shop: 96% of the memory is in use",
        about=_MACHINE,
    ),
    Case(rule="MemoryNearlyFull", why="80 %", at="15m", series=_memory(80)),
    Case(rule="MemoryNearlyFull", why="the container has room", at="15m", series=_memory(95, container=10)),
)


# --- the pipeline --------------------------------------------------------------------------------------------------

_BESIDE: Final = {"job": "collector", "instance": "collector:8888"}
_SERVER: Final = {"job": "otelkit", "instance": "otelkit:4318"}
_BRIDGE: Final = {"exporter": "otlp_http/server"}


def _up(job: str, values: str) -> dict[str, str]:
    return _raw(PrometheusMetrics.UP, values, {"job": job, "instance": f"{job}:1"})


def _collector(metric: MetricDef, values: str, more: Mapping[str, str] = _BRIDGE) -> dict[str, str]:
    return _raw(metric, values, {**_BESIDE, **more})


_LOGS: Final = {**_BRIDGE, SIGNAL: "logs", "instance": "collector:8888"}
_OTHER: Final = {"instance": "other:8888"}


def _queue(waiting: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    labels = {**_LOGS, **(more or {})}
    capacity = _collector(CollectorMetrics.QUEUE_CAPACITY, "100x30", labels)
    return _collector(CollectorMetrics.QUEUE, waiting, labels) | capacity


_COLLECTOR_ALIVE: Final = _collector(CollectorMetrics.UPTIME, "0+60x200", {})
_RECEIVED: Final = CollectorMetrics.ACCEPTED[0]
_OTLP: Final = {"receiver": "otlp", "transport": "grpc"}
_PIPELINE: Final = (
    Case(rule=HEARTBEAT, why="nothing is there", at="1m", series={}, says="Alerting works"),
    Case(
        rule="CollectorDown",
        why="it stopped answering",
        at="10m",
        series=_up("collector", "1x5 0x30"),
        says="The Collector does not answer Prometheus",
        about={"job": "collector"},
    ),
    Case(
        rule="CollectorDown",
        why="nobody scrapes one",
        at="10m",
        series=_up("prometheus", "1x30"),
        says="The Collector does not answer Prometheus",
        about={"job": "collector"},
    ),
    Case(
        rule="CollectorDown",
        why="it answers, the server does not",
        at="10m",
        series=_up("collector", "1x30") | _up("services", "1x30") | _up("otelkit", "0x30"),
    ),
    Case(
        rule="ServerDown",
        why="it stopped answering",
        at="10m",
        series=_up("otelkit", "1x5 0x30"),
        says="otelkit's server does not answer Prometheus",
        about={"job": "otelkit"},
    ),
    Case(rule="ServerDown", why="there is none", at="10m", series=_up("collector", "1x30")),
    Case(
        rule="TargetDown",
        why="Loki does not answer",
        at="10m",
        series=_up("collector", "1x30") | _up("loki", "0x30"),
        says="loki at loki:1 does not answer Prometheus",
        about={"job": "loki", "instance": "loki:1"},
    ),
    Case(rule="TargetDown", why="Loki was away for two minutes", at="10m", series=_up("loki", "1x5 0x2 1x30")),
    Case(
        rule="ServiceSilent",
        why="its only process is gone",
        at="30m",
        series=_of(Metrics.UPTIME, "0+60x20 _x60"),
        says="shop sends nothing any more",
        about=_SHOP,
    ),
    Case(
        rule="ServiceSilent",
        why="another process has taken its place",
        at="30m",
        series=_of(Metrics.UPTIME, "0+60x20 _x60") | _of(Metrics.UPTIME, "_x20 0+60x60", {"instance": "two"}),
    ),
    Case(rule="ServiceSilent", why="gone for hours", at="120m", series=_of(Metrics.UPTIME, "0+60x20 _x120")),
    Case(
        rule="NoTelemetry",
        why="nothing new for half an hour",
        at="60m",
        series=_collector(_RECEIVED, "0+100x30 3000x60", _OTLP),
        says="The Collector receives nothing",
    ),
    Case(rule="NoTelemetry", why="nothing was ever sent", at="60m", series=_collector(_RECEIVED, "0x90", _OTLP)),
    Case(rule="NoTelemetry", why="spans come", at="60m", series=_collector(_RECEIVED, "0+1x90", _OTLP)),
    Case(
        rule="ExporterFailing",
        why="ten wait, none was sent",
        at="15m",
        series=_queue("10x30") | _collector(CollectorMetrics.SENT[1], "500x30"),
        says="The exporter otlp_http/server of the Collector at collector:8888 gets rid of no logs",
        about=_LOGS,
    ),
    Case(
        rule="ExporterFailing",
        why="traces are stuck, logs flow",
        at="15m",
        series=_queue("10x30", {SIGNAL: "traces"})
        | _queue("0x30")
        | _collector(CollectorMetrics.SENT[0], "500x30")
        | _collector(CollectorMetrics.SENT[1], "500+9x30"),
        says="The exporter otlp_http/server of the Collector at collector:8888 gets rid of no traces",
        about={**_LOGS, SIGNAL: "traces"},
    ),
    Case(
        rule="ExporterFailing",
        why="one of two Collectors never sent anything",
        at="15m",
        series=_queue("10x30", _OTHER) | _queue("10x30") | _collector(CollectorMetrics.SENT[1], "500+9x30"),
        says="The exporter otlp_http/server of the Collector at other:8888 gets rid of no logs",
        about={**_LOGS, **_OTHER},
    ),
    Case(
        rule="ExporterFailing",
        why="ten wait, others were sent",
        at="15m",
        series=_queue("10x30") | _collector(CollectorMetrics.SENT[1], "500+9x30"),
    ),
    Case(
        rule="ExporterFailing",
        why="nothing waits",
        at="15m",
        series=_queue("0x30") | _collector(CollectorMetrics.SENT[1], "500x30"),
    ),
    Case(
        rule="QueueFilling",
        why="four fifths",
        at="10m",
        series=_queue("80x30"),
        says="The exporter otlp_http/server of the Collector at collector:8888: its queue of logs is 80% full",
        about=_LOGS,
    ),
    Case(
        rule="QueueFilling",
        why="nine tenths with traces, nothing with logs",
        at="10m",
        series=_queue("90x30", {SIGNAL: "traces"}) | _queue("0x30"),
        says="The exporter otlp_http/server of the Collector at collector:8888: its queue of traces is 90% full",
        about={**_LOGS, SIGNAL: "traces"},
    ),
    Case(
        rule="QueueFilling",
        why="nine tenths in one of two Collectors",
        at="10m",
        series=_queue("90x30", _OTHER) | _queue("0x30"),
        says="The exporter otlp_http/server of the Collector at other:8888: its queue of logs is 90% full",
        about={**_LOGS, **_OTHER},
    ),
    Case(rule="QueueFilling", why="half", at="10m", series=_queue("50x30")),
    Case(
        rule="CollectorDropsTelemetry",
        why="counters of two kinds of record that begin with the first drop",
        at="10m",
        series=_collector(CollectorMetrics.FAILED[0], "_x5 3x30")
        | _collector(CollectorMetrics.NOT_QUEUED[1], "_x6 4x30")
        | _COLLECTOR_ALIVE,
        says="The Collector's exporter otlp_http/server dropped 7 records in 15 minutes",
        about=_BRIDGE,
    ),
    Case(
        rule="CollectorDropsTelemetry",
        why="long ago",
        at="60m",
        series=_collector(CollectorMetrics.FAILED[0], "3x90") | _COLLECTOR_ALIVE,
    ),
    Case(
        rule="ServiceDropsTelemetry",
        why="three spans found the queue full",
        at="10m",
        series=_of(Metrics.DROPPED, "_x5 3x30", {Otelkit.SIGNAL: "traces", Otelkit.DROP_REASON: "queue_full"}) | _ALIVE,
        says="shop dropped 3 traces records: queue_full",
        about={**_SHOP, Otelkit.SIGNAL: "traces", Otelkit.DROP_REASON: "queue_full"},
    ),
    Case(
        rule="ServiceDropsTelemetry",
        why="zeros",
        at="10m",
        series=_of(Metrics.DROPPED, "0x30", {Otelkit.SIGNAL: "traces", Otelkit.DROP_REASON: "queue_full"}) | _ALIVE,
    ),
    Case(
        rule="ServerNotWriting",
        why="its disk is full",
        at="10m",
        series=_raw(ServerMetrics.WRITABLE, "1x5 0x30", _SERVER),
        says="otelkit's server at otelkit:4318 cannot write",
        about={"instance": "otelkit:4318"},
    ),
    Case(rule="ServerNotWriting", why="it writes", at="10m", series=_raw(ServerMetrics.WRITABLE, "1x30", _SERVER)),
    Case(
        rule="SlowPipeline",
        why="one to five minutes",
        at="20m",
        series=_between(ServerMetrics.DELAY, 60.0, 300.0, "0+5x30", {Otelkit.SIGNAL: "traces"}),
        says="p95 of the way of traces to the server is 4m 48s",
        about={Otelkit.SIGNAL: "traces"},
    ),
    Case(
        rule="SlowPipeline",
        why="half a minute to a minute",
        at="20m",
        series=_between(ServerMetrics.DELAY, 30.0, 60.0, "0+5x30", {Otelkit.SIGNAL: "traces"}),
    ),
    Case(
        rule="NotificationsFailing",
        why="one a minute",
        at="15m",
        series=_raw(AlertmanagerMetrics.FAILED, "0+1x30", {"job": "alertmanager", "integration": "slack"}),
        says="Alertmanager's messages by slack do not arrive",
        about={"integration": "slack"},
    ),
    Case(
        rule="NotificationsFailing",
        why="none",
        at="15m",
        series=_raw(AlertmanagerMetrics.FAILED, "7x30", {"job": "alertmanager", "integration": "slack"}),
    ),
    Case(
        rule="RuleFailing",
        why="one a minute",
        at="15m",
        series=_raw(PrometheusMetrics.RULE_FAILURES, "0+1x30", {"job": "prometheus", "rule_group": "costs"}),
        says="Prometheus cannot evaluate rules of costs",
        about={"rule_group": "costs"},
    ),
    Case(
        rule="RuleFailing",
        why="none",
        at="15m",
        series=_raw(PrometheusMetrics.RULE_FAILURES, "0x30", {"job": "prometheus", "rule_group": "costs"}),
    ),
)

CASES: Final = (*_REQUESTS, *_ERRORS, *_MODELS, *_COST, *_WORK, *_PIPELINE)
