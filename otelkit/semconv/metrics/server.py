"""What ``otelkit serve`` says at ``GET /metrics``: who uses the service, from what is stored, and how it works itself.

People are counted here and never in a service's own metrics. Names are the catalogue's, scraped and not sent.
"""

from __future__ import annotations

from typing import Final

from otelkit.semconv.attributes import Otelkit
from otelkit.semconv.metrics.definition import Instrument, MetricDef

__all__ = ["ServerMetrics"]

_DELAY: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0)


class ServerMetrics:
    """Gauges of use, absent where unknown; then the server's own work."""

    USERS: Final = MetricDef(
        "otelkit.users.active",
        Instrument.GAUGE,
        "{user}",
        "Different users whose requests were under way in the period before now (1h, 24h, 7d).",
        (Otelkit.PERIOD,),
    )
    SESSIONS: Final = MetricDef(
        "otelkit.sessions.active",
        Instrument.GAUGE,
        "{session}",
        "Different sessions whose requests were under way in the period before now (5m, 1h).",
        (Otelkit.PERIOD,),
    )
    CONVERSATIONS: Final = MetricDef(
        "otelkit.conversations.active",
        Instrument.GAUGE,
        "{conversation}",
        "Different conversations that went on in the period: today (since midnight UTC), 24h.",
        (Otelkit.PERIOD,),
    )
    MESSAGES: Final = MetricDef(
        "otelkit.conversation.messages",
        Instrument.GAUGE,
        "{message}",
        "Messages (traces that name it) a conversation, the mean over the conversations of the last 24 hours.",
    )
    WEBSOCKETS: Final = MetricDef(
        "otelkit.users.websockets",
        Instrument.GAUGE,
        "{connection}",
        "WebSocket connections open now, as the services last said.",
    )
    TENANT_TOKENS: Final = MetricDef(
        "otelkit.tenant.tokens",
        Instrument.GAUGE,
        "{token}",
        "Tokens of the last 24 hours, of the ten groups with the most; groups by pseudonym.",
        (Otelkit.TENANT,),
    )
    TENANT_COST: Final = MetricDef(
        "otelkit.tenant.cost",
        Instrument.GAUGE,
        "USD",
        "Cost of the last 24 hours in US dollars, of the same groups; absent for a group without a priced call.",
        (Otelkit.TENANT,),
    )
    TENANT_REQUESTS: Final = MetricDef(
        "otelkit.tenant.requests",
        Instrument.GAUGE,
        "{request}",
        "Requests of the last 24 hours, of the same groups.",
        (Otelkit.TENANT,),
    )
    RECEIVED: Final = MetricDef(
        "otelkit.server.received",
        Instrument.COUNTER,
        "{record}",
        "Records that were committed, or known already.",
        (Otelkit.SIGNAL,),
    )
    REJECTED: Final = MetricDef(
        "otelkit.server.rejected",
        Instrument.COUNTER,
        "{record}",
        "Records that were dropped for what they are, by reason; the others of their request were stored.",
        (Otelkit.SIGNAL, Otelkit.DROP_REASON),
    )
    REFUSED: Final = MetricDef(
        "otelkit.server.refused",
        Instrument.COUNTER,
        "{request}",
        "Requests of which nothing was stored, by reason; for busy, full and failing their senders come again.",
        (Otelkit.SIGNAL, Otelkit.DROP_REASON),
    )
    DELAY: Final = MetricDef(
        "otelkit.server.delay",
        Instrument.HISTOGRAM,
        "s",
        "From the time of the oldest record of a request (a span's end) until its commit: the whole way here.",
        (Otelkit.SIGNAL,),
        _DELAY,
    )
    QUEUE_LENGTH: Final = MetricDef(
        "otelkit.server.queue.length", Instrument.GAUGE, "{request}", "Requests that wait to be stored."
    )
    QUEUE_SIZE: Final = MetricDef(
        "otelkit.server.queue.size",
        Instrument.GAUGE,
        "By",
        "Bodies that are being read, wait or are being stored; beyond 96 MiB senders are told to come again.",
    )
    STORE_SIZE: Final = MetricDef("otelkit.server.store.size", Instrument.GAUGE, "By", "Size of the database.")
    WRITABLE: Final = MetricDef(
        "otelkit.server.writable", Instrument.GAUGE, "{server}", "1 while writes succeed, else 0."
    )
    UPTIME: Final = MetricDef("otelkit.server.uptime", Instrument.GAUGE, "s", "Time since the server started.")
