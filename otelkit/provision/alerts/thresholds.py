"""Where alerts begin, once: every figure of the rules, with its unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from otelkit.provision.kinds import count, number, share

__all__ = ["Thresholds"]


def _seconds(default: float, meaning: str) -> Any:
    return number(default, f"{meaning}, in seconds", 0)


def _judged(default: int, what: str) -> Any:
    """How much there must be before a share or percentile is judged."""
    return count(default, f"{what}; with fewer that is not judged", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Shares are of 1, times in seconds; ``min_…`` is how much there must be before a share or percentile is judged.

    Budgets are for everything in one environment together; 0 means none, and its rules are left out.

    Raises:
        ValueError: what is critical would begin before what is a warning.
    """

    # --- requests
    error_share: float = share(0.01, "failed requests (5xx) of all of a service")
    error_share_critical: float = share(0.10, "the same, critical")
    min_requests: int = _judged(100, "requests in 5 minutes")
    min_requests_critical: int = _judged(20, "requests in 5 minutes, critical")
    request_p95: float = _seconds(5.0, "p95 of a route's requests")
    min_requests_route: int = _judged(20, "requests of a route in 10 minutes")
    disconnect_share: float = share(0.10, "broken WebSocket connections of all of a service")
    min_websockets: int = _judged(10, "WebSocket connections")
    unhandled_errors: int = count(10, "unhandled errors in 15 minutes")

    # --- models
    llm_p95: float = _seconds(10.0, "p95 of a model's calls")
    first_token_p95: float = _seconds(5.0, "p95 of the time to a model's first token")
    llm_error_share: float = share(0.05, "failed calls of all of a model")
    min_llm_calls: int = _judged(20, "calls of a model in 10 minutes")

    # --- retrieval and tools
    retrieval_p95: float = _seconds(1.0, "p95 of retrievals")
    empty_share: float = share(0.20, "retrievals that find nothing, of all")
    min_retrievals: int = _judged(20, "retrievals in 30 minutes")
    tool_error_share: float = share(0.10, "failed calls of all of a tool")
    min_tool_calls: int = _judged(10, "calls of a tool in 15 minutes")

    # --- budgets
    daily_cost_usd: float = number(50.0, "US dollars that model calls may cost a day; 0: no budget", 0)
    monthly_cost_usd: float = number(1000.0, "US dollars that they may cost in 30 days; 0: no budget", 0)
    daily_tokens: int = count(20_000_000, "tokens that they may use a day; 0: no budget")
    near: float = share(0.80, "part of a budget from which it is nearly used up")
    burn: float = share(0.25, "part of a day's budget that is much for one hour")

    # --- databases
    slow_queries: int = count(20, "slow queries in 10 minutes")
    database_p95: float = _seconds(0.5, "p95 of database calls")
    min_database_calls: int = _judged(100, "database calls in 10 minutes")
    connection_p95: float = _seconds(0.5, "p95 of the time to get a database connection")
    min_connections: int = _judged(20, "connections in 10 minutes")
    pool_share: float = share(0.90, "connections in use, of all of a pool")
    pool_timeouts: int = count(5, "callers that got no connection in 5 minutes")

    # --- jobs
    sync_failures: int = count(3, "failed syncs of an integration in an hour")
    job_error_share: float = share(0.10, "failed runs of all of a job, in an hour")
    min_job_failures: int = _judged(3, "failures in an hour")
    queue_length: int = count(100, "jobs that wait in a queue")
    queue_age: float = _seconds(600.0, "wait of a queue's oldest job")

    # --- machine
    disk_share: float = share(0.85, "used part of a file system")
    disk_share_critical: float = share(0.95, "the same, critical")
    memory_share: float = share(0.90, "used part of the container's (else the machine's) memory")

    # --- security
    security_events: int = count(20, "failed security events of one kind in 10 minutes")

    # --- pipeline
    queue_share: float = share(0.70, "used part of an exporter's queue in the Collector")
    delay_p95: float = _seconds(60.0, "p95 of the time from a span's end to its commit in the server")

    def __post_init__(self) -> None:
        for name in ("error_share", "disk_share"):
            if getattr(self, name) > getattr(self, f"{name}_critical"):
                raise ValueError(f"{name} is above {name}_critical")
