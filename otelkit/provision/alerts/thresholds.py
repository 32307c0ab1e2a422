"""Where alerts begin, once: every figure of the rules, with its unit."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Thresholds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Shares are of 1, times in seconds; ``min_…`` is how much there must be before a share or percentile is judged.

    Budgets are for everything in one environment together; 0 means none, and its rules are left out.
    """

    # --- requests
    error_share: float = 0.01
    error_share_critical: float = 0.10
    min_requests: int = 100  # in 5 minutes
    min_requests_critical: int = 20  # in 5 minutes
    request_p95: float = 5.0
    min_requests_route: int = 20  # in 10 minutes
    disconnect_share: float = 0.10
    min_websockets: int = 10
    unhandled_errors: int = 10  # in 15 minutes

    # --- models
    llm_p95: float = 10.0
    first_token_p95: float = 5.0
    llm_error_share: float = 0.05
    min_llm_calls: int = 20  # in 10 minutes

    # --- retrieval and tools
    retrieval_p95: float = 1.0
    empty_share: float = 0.20
    min_retrievals: int = 20  # in 30 minutes
    tool_error_share: float = 0.10
    min_tool_calls: int = 10  # in 15 minutes

    # --- budgets
    daily_cost_usd: float = 50.0
    monthly_cost_usd: float = 1000.0
    daily_tokens: int = 20_000_000
    near: float = 0.80  # of a budget
    burn: float = 0.25  # of a day's budget in one hour

    # --- databases
    slow_queries: int = 20  # in 10 minutes
    database_p95: float = 0.5
    min_database_calls: int = 100  # in 10 minutes
    connection_p95: float = 0.5
    min_connections: int = 20  # in 10 minutes
    pool_share: float = 0.90
    pool_timeouts: int = 5  # in 5 minutes

    # --- jobs
    sync_failures: int = 3  # in an hour
    job_error_share: float = 0.10
    min_job_failures: int = 3  # in an hour
    queue_length: int = 100
    queue_age: float = 600.0

    # --- machine
    disk_share: float = 0.85
    disk_share_critical: float = 0.95
    memory_share: float = 0.90

    # --- security
    security_events: int = 20  # in 10 minutes

    # --- pipeline
    queue_share: float = 0.70
    delay_p95: float = 60.0
