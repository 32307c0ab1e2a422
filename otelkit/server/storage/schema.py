"""The tables.

Strings that repeat live once in ``series``; ``span`` is narrow and clustered by trace; whatever is only read when one
trace is opened lies compressed in ``payload``; the rollups carry every figure that a page asks for. Times are
nanoseconds since the epoch, except in rollups, whose ``time`` is the start of a step (see :data:`UNITS`) in seconds.
Empty strings stand for "none" where a column is part of a unique key. What one product names or limits otherwise is
told with ``with_variant`` and ``ddl_if``: PostgreSQL has no room in an index for eleven texts, and needs none, because
its writers take turns.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    UniqueConstraint,
)
from sqlalchemy import Integer as NarrowInteger
from sqlalchemy import Text as PlainText

SCHEMA_VERSION: Final = 2

# Bits of span.flags.
ENTRY: Final = 1
DUPLICATE: Final = 2
UNPRICED: Final = 4
UNREPORTED: Final = 8
INFERENCE: Final = 16

# Added to a rollup's status for spans that another span already counts.
ROLL_DUPLICATE: Final = 8

# hist.what
DURATION: Final = 0
FIRST_TOKEN: Final = 1
RESULTS: Final = 2
SCORE: Final = 3

# The rollups' steps in seconds; every rollup is kept once for each, the finer ones for a while only.
FINE: Final = 2
MINUTE: Final = 60
HOUR: Final = 3600
UNITS: Final = (FINE, MINUTE, HOUR)

# Full-text indexes, by the id of a trace or log row; each product makes its own kind of table (see ``dialect``).
TEXTS: Final = ("trace_text", "log_text")

# In SQLite every integer is as wide as it must be, and only a column called INTEGER can be the row's own number.
Integer = BigInteger().with_variant(NarrowInteger(), "sqlite")
# Compared byte by byte everywhere: order and equality must not depend on where a server stands.
Text = PlainText().with_variant(PlainText(collation="C"), "postgresql")

metadata = MetaData()


def _partial(name: str, *columns: Column[Any], where: ColumnElement[bool]) -> None:
    Index(name, *columns, sqlite_where=where, postgresql_where=where)


meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

dictionary = Table(
    "dictionary", metadata, Column("id", Integer, primary_key=True, autoincrement=False), Column("data", LargeBinary)
)

payload = Table(
    "payload",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("dict_id", Integer, nullable=False),
    Column("zstd", LargeBinary, nullable=False),
)

# How many rows still refer to a block that has lost some (see ``retention``).
payload_left = Table(
    "payload_left",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("left", SmallInteger, nullable=False),
)

SERIES_KEY: Final = (
    "service",
    "environment",
    "name",
    "kind",
    "step",
    "operation",
    "provider",
    "model",
    "tool",
    "route",
    "entry",
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    *(Column(name, Text, nullable=False) for name in SERIES_KEY[:-1]),
    Column("entry", SmallInteger, nullable=False),
    UniqueConstraint(*SERIES_KEY).ddl_if(dialect="sqlite"),
)
Index("series_name", series.c.name).ddl_if(dialect="postgresql")

span = Table(
    "span",
    metadata,
    Column("trace", Integer, primary_key=True),
    Column("span_id", LargeBinary, primary_key=True),
    Column("parent_id", LargeBinary),
    Column("series", Integer, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("flags", SmallInteger, nullable=False),
    Column("first_token", BigInteger),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("cache_write_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("cost", Float),
    Column("payload", Integer, nullable=False),
    Column("place", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

trace = Table(
    "trace",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("trace_id", LargeBinary, nullable=False, unique=True),
    Column("start", BigInteger, nullable=False),
    Column("duration", BigInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("spans", Integer, nullable=False),
    Column("complete", SmallInteger, nullable=False),
    Column("kinds", SmallInteger, nullable=False),
    Column("root_status", SmallInteger, nullable=False),
    Column("llm_calls", Integer, nullable=False),
    Column("tool_calls", Integer, nullable=False),
    Column("unreported", Integer, nullable=False),
    Column("input_tokens", Integer),
    Column("output_tokens", Integer),
    Column("cached_tokens", Integer),
    Column("cache_write_tokens", Integer),
    Column("reasoning_tokens", Integer),
    Column("cost", Float),
    Column("service", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("user", Text),
    Column("grp", Text),
    Column("session", Text),
    Column("conversation", Text),
    Column("name", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("tools", Text, nullable=False),
    Column("services", Text, nullable=False),
    Column("unpriced", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("error", Text),
    Column("input", Text),
    Column("output", Text),
    Column("merge", Text, nullable=False),
)
Index("trace_start", trace.c.start)
# Walked from the top for the slowest and the dearest of a long time, so they hold what is mostly asked besides.
Index("trace_slowest", trace.c.duration, trace.c.start, trace.c.status, trace.c.service, trace.c.environment)
_partial("trace_error", trace.c.start, where=trace.c.status == 2)
_partial(
    *("trace_dearest", trace.c.cost, trace.c.start, trace.c.status, trace.c.service, trace.c.environment),
    where=trace.c.cost.is_not(None),
)
# Whom traces were for, with every figure that is summed by them: these sums are read from the index alone, in order.
for _whom in (trace.c.user, trace.c.grp, trace.c.conversation):
    _figures = ("start", "duration", "status", "llm_calls", "unreported", "input_tokens", "output_tokens", "cost")
    _partial(f"trace_of_{_whom.name}", _whom, *(trace.c[name] for name in _figures), where=_whom.is_not(None))

# Links the other way round: which spans of other traces name a span of this one, whether it has arrived or not.
link = Table(
    "link",
    metadata,
    Column("target_trace", LargeBinary, primary_key=True),
    Column("trace", Integer, primary_key=True),  # the one that links
    Column("span_id", LargeBinary, primary_key=True),
    Column("target_span", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)
Index("link_of_trace", link.c.trace)

# Sums that are never unknown, and sums that are NULL until somebody reports them.
ROLL_SUMS: Final = ("count", "duration", "reported", "unreported", "unpriced", "stream_tokens", "stream_time", "empty")
ROLL_TIMES: Final = frozenset({"duration", "stream_time"})
ROLL_KNOWN: Final = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", "cost")


def _roll(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("time", Integer, primary_key=True),
        Column("series", Integer, primary_key=True),
        Column("status", SmallInteger, primary_key=True),
        # Times are summed as floats: a few spans with absurd clocks would overflow 64 bits.
        *(Column(column, Float if column in ROLL_TIMES else BigInteger, nullable=False) for column in ROLL_SUMS),
        *(Column(column, Float if column == "cost" else BigInteger) for column in ROLL_KNOWN),
        sqlite_with_rowid=False,
    )


def _hist(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("time", Integer, primary_key=True),
        Column("series", Integer, primary_key=True),
        Column("what", SmallInteger, primary_key=True),
        Column("counts", LargeBinary, nullable=False),  # see buckets.pack_counts
        sqlite_with_rowid=False,
    )


def _kind_time(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("time", Integer, primary_key=True),
        Column("service", Text, primary_key=True),
        Column("environment", Text, primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("spent", Float, nullable=False),
        sqlite_with_rowid=False,
    )


def _log_roll(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("time", Integer, primary_key=True),
        Column("series", Integer, primary_key=True),
        Column("severity", SmallInteger, primary_key=True),
        Column("count", Integer, nullable=False),
        sqlite_with_rowid=False,
    )


# By unit.
ROLL: Final = {FINE: _roll("roll_fine"), MINUTE: _roll("roll_minute"), HOUR: _roll("roll")}
HIST: Final = {FINE: _hist("buckets_fine"), MINUTE: _hist("buckets_minute"), HOUR: _hist("buckets")}
KIND: Final = {FINE: _kind_time("kind_fine"), MINUTE: _kind_time("kind_minute"), HOUR: _kind_time("kind_hour")}
LOGS: Final = {FINE: _log_roll("log_fine"), MINUTE: _log_roll("log_minute"), HOUR: _log_roll("log_hour")}

actor = Table(
    "actor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("user", Text, nullable=False),
    Column("grp", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    UniqueConstraint("user", "grp", "conversation").ddl_if(dialect="sqlite"),
)
Index("actor_user", actor.c.user, actor.c.conversation).ddl_if(dialect="postgresql")

ACTOR_SUMS: Final = ("spans", "requests", "errors", "llm_calls", "tokens")
actor_hour = Table(
    "actor_hour",
    metadata,
    Column("hour", Integer, primary_key=True),
    Column("actor", Integer, primary_key=True),
    *(Column(column, BigInteger, nullable=False) for column in ACTOR_SUMS),
    Column("cost", Float),
    sqlite_with_rowid=False,
)

log_series = Table(
    "log_series",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("service", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("logger", Text, nullable=False),
    Column("event_name", Text, nullable=False),
    UniqueConstraint("service", "environment", "logger", "event_name").ddl_if(dialect="sqlite"),
)
Index("log_series_logger", log_series.c.logger).ddl_if(dialect="postgresql")

log = Table(
    "log",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("uid", LargeBinary, nullable=False, unique=True),
    Column("time", BigInteger, nullable=False),
    Column("series", Integer, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("trace_id", LargeBinary),
    Column("span_id", LargeBinary),
    Column("payload", Integer, nullable=False),
    Column("place", SmallInteger, nullable=False),
    Column("body", Text, nullable=False),
)
Index("log_time", log.c.time)
_partial("log_trace", log.c.trace_id, where=log.c.trace_id.is_not(None))
_partial("log_severe", log.c.time, where=log.c.severity >= 13)

# Errors: one row for all that share a fingerprint in a service; see mapping.failures.
error_group = Table(
    "error_group",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("service", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("type", Text, nullable=False),  # empty: it was only logged
    Column("message", Text, nullable=False),  # of the newest hour's first occurrence, as the stack is
    Column("stack", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("first_version", Text, nullable=False),
    Column("last_version", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("unhandled", BigInteger, nullable=False),
    Column("resolved_at", BigInteger),
    Column("regressed_at", BigInteger),  # seen again after that
    UniqueConstraint("service", "environment", "fingerprint"),
)
Index("error_last", error_group.c.last_seen)

# One row each time, and one for a trace however often it tells of the error.
error_event = Table(
    "error_event",
    metadata,
    Column("occurrence", LargeBinary, primary_key=True),  # the trace's id; a log record's own where it has no trace
    Column("error", Integer, primary_key=True),
    Column("time", BigInteger, nullable=False),
    Column("traced", SmallInteger, nullable=False),
    Column("span_id", LargeBinary),
    Column("unhandled", SmallInteger, nullable=False),
    Column("user", Text),
    Column("by_server", SmallInteger, nullable=False),  # said by a web server outside of any trace
    Column("echo", LargeBinary),  # of a traced one: the record by which the web server said it again, which has no row
    Column("echo_time", BigInteger),
    sqlite_with_rowid=False,
)
Index("error_event_time", error_event.c.time, error_event.c.error)
Index("error_event_of", error_event.c.error, error_event.c.time)

error_hour = Table(
    "error_hour",
    metadata,
    Column("time", Integer, primary_key=True),
    Column("error", Integer, primary_key=True),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

metric_series = Table(
    "metric_series",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("monotonic", SmallInteger, nullable=False),
    Column("cumulative", SmallInteger, nullable=False),
    Column("service", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("description", Text, nullable=False),
)
Index("metric_name", metric_series.c.name)

metric_point = Table(
    "metric_point",
    metadata,
    Column("series", Integer, primary_key=True),
    Column("time", BigInteger, primary_key=True),
    Column("start", BigInteger, nullable=False),
    Column("value", Float),
    Column("count", BigInteger),
    Column("sum", Float),
    Column("detail", Text),
    sqlite_with_rowid=False,
)

# Prices that were set on the page, in US dollars per million tokens; see mapping.cost.Rates.
price = Table(
    "price",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    *(Column(name, Float) for name in ("input", "output", "cache_read", "cache_write", "reasoning")),
    Column("set_at", BigInteger, nullable=False),
)

# Who did what. Each row's hash covers the row and the hash before it (see ``audit``), so that what was taken out or
# changed shows.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("uid", Text, nullable=False, unique=True),
    Column("time", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("service", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("span_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("grp", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)
Index("audit_time", audit.c.time)
Index("audit_actor", audit.c.actor, audit.c.id)
Index("audit_target", audit.c.target, audit.c.id)

# Counts of everything stored and refused, kept in the same transactions.
tally = Table(
    "tally",
    metadata,
    Column("name", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
