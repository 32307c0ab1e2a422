"""What changed against the period before: steps that fail more, take longer, or come back empty."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, select, text

from otelkit.server.insights.ranges import Range
from otelkit.server.insights.sums import Scope, hists, milliseconds, rolls
from otelkit.server.storage import schema
from otelkit.server.storage.buckets import Counts

__all__ = ["Change", "changes"]

_KEY: Final = ("kind", "operation", "tool", "model", "route", "name", "entry")
_FEW: Final = 5  # with fewer calls a ratio or percentile says nothing
_SHOWN: Final = 6
_NOTABLE_ERRORS: Final = 0.02
_NOTABLE_EMPTY: Final = 0.05
_SLOWER: Final = 1.3
_TONES: Final = {"bad": 0, "warn": 1, "good": 2}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; ``before`` is None where nothing can be said about it."""

    tone: str
    subject: str
    kind: str
    metric: str
    before: float | None
    after: float
    text: str
    detail: str
    since: int | None
    filter: dict[str, str]
    weight: float

    def json(self) -> dict[str, Any]:
        names = ("tone", "subject", "kind", "metric", "before", "after", "text", "detail", "since", "filter")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class _Subject:
    """Everything summed over one tool, data source, model or route."""

    label: str
    kind: str
    filter: dict[str, str]
    calls: int = 0
    errors: int = 0
    empty: int = 0
    first_error: int | None = None
    durations: Counts = field(default_factory=Counts)
    first_tokens: Counts = field(default_factory=Counts)


def changes(connection: Connection, period: Range, earlier: Range | None, scope: Scope) -> list[Change]:
    """Return the differences worth reading, worst first; without an earlier period only what is bad by itself."""
    now = _subjects(connection, period, scope, steps=True)
    then = _subjects(connection, earlier, scope) if earlier is not None else {}
    reasons = _reasons(connection, period, scope)
    found: list[Change] = []
    for key, subject in now.items():
        if subject.calls < _FEW:
            continue
        old = then.get(key)
        old = old if old is not None and old.calls >= _FEW else None
        found.extend(filter(None, (_errors(subject, old, reasons), _empty(subject, old))))
        if old is not None:
            found.extend(filter(None, (_latency(subject, old), _first_token(subject, old))))
    found.sort(key=lambda change: (_TONES[change.tone], -change.weight))
    return found[:_SHOWN]


def _subjects(
    connection: Connection, period: Range, scope: Scope, *, steps: bool = False
) -> dict[tuple[str, str], _Subject]:
    """Sum up each subject; when it first failed is known with ``steps``."""
    found: dict[tuple[str, str], _Subject] = {}
    for row in rolls(connection, period, scope, _KEY, steps=steps):
        subject = _subject(found, row)
        if subject is None:
            continue
        subject.calls += row.calls
        subject.errors += row.errors
        subject.empty += row.empty
        if steps and row.errors:
            at = (period.start + row.at * period.step) * 1000
            subject.first_error = at if subject.first_error is None else min(at, subject.first_error)
    for what, name in ((schema.DURATION, "durations"), (schema.FIRST_TOKEN, "first_tokens")):
        for key, counts in hists(connection, period, scope, what, _KEY).items():
            subject = _subject(found, _Key(*key))
            if subject is not None:
                getattr(subject, name).add(counts)
    return found


@dataclass(frozen=True, slots=True)
class _Key:
    kind: str
    operation: str
    tool: str
    model: str
    route: str
    name: str
    entry: int


def _subject(found: dict[tuple[str, str], _Subject], row: Any) -> _Subject | None:
    if row.kind in ("tool", "retrieval"):
        label = row.tool or row.name
        narrowed = {"tool": label} if row.kind == "tool" else {"kind": "retrieval"}
    elif row.kind == "llm" and row.model:
        label, narrowed = row.model, {"model": row.model}
    elif row.entry:
        label, narrowed = row.name, {"name": row.name}
    else:
        return None
    return found.setdefault((row.kind, label), _Subject(label, row.kind, narrowed))


def _errors(now: _Subject, old: _Subject | None, reasons: Counter[tuple[str, str]]) -> Change | None:
    after = now.errors / now.calls
    before = old.errors / old.calls if old is not None else None
    if before is not None and before >= _NOTABLE_ERRORS and after < before / 2:
        return _change(now, "good", "error_ratio", before, after, _ratios("errors", before, after), "", now.errors)
    if after < _NOTABLE_ERRORS or now.errors < 2 or (before is not None and after < before * 1.5):
        return None
    reason = next((what for (what, where), _ in reasons.most_common() if where == now.label), "")
    detail = f"{reason}, {now.errors} of {now.calls} calls" if reason else f"{now.errors} of {now.calls} calls"
    return _change(now, "bad", "error_ratio", before, after, _ratios("errors", before, after), detail, now.errors)


def _empty(now: _Subject, old: _Subject | None) -> Change | None:
    if now.kind != "retrieval":
        return None
    after = now.empty / now.calls
    before = old.empty / old.calls if old is not None else None
    if after < _NOTABLE_EMPTY or now.empty < 2 or (before is not None and after < before * 1.5):
        return None
    detail = f"{now.empty} of {now.calls} retrievals"
    told = _ratios("empty results", before, after)
    return _change(now, "warn", "empty_results", before, after, told, detail, now.empty)


def _latency(now: _Subject, old: _Subject) -> Change | None:
    return _percentile(now, now.durations, old.durations, "p95", 0.95, "p95")


def _first_token(now: _Subject, old: _Subject) -> Change | None:
    return _percentile(now, now.first_tokens, old.first_tokens, "first_token_p50", 0.5, "time to first token")


def _percentile(
    now: _Subject,
    counts: Counts,
    earlier: Counts,
    metric: str,
    share: float,
    words: str,
) -> Change | None:
    after, before = milliseconds(counts, share), milliseconds(earlier, share)
    if after is None or before is None or abs(after - before) < 20:
        return None
    if before / _SLOWER < after < before * _SLOWER:
        return None
    tone = "warn" if after > before else "good"
    told = f"{words} {spoken_ms(before)} → {spoken_ms(after)}"
    return _change(now, tone, metric, before, after, told, f"{now.calls} calls", after / before)


def _change(
    now: _Subject, tone: str, metric: str, before: float | None, after: float, told: str, detail: str, weight: float
) -> Change:
    failing = metric == "error_ratio"
    narrowed = {**now.filter, "status": "error"} if failing and tone == "bad" else now.filter
    since = now.first_error if failing and tone == "bad" else None
    return Change(tone, now.label, now.kind, metric, before, after, told, detail, since, narrowed, weight)


def _ratios(what: str, before: float | None, after: float) -> str:
    return (
        f"{what} {spoken_ratio(after)}" if before is None else f"{what} {spoken_ratio(before)} → {spoken_ratio(after)}"
    )


def _reasons(connection: Connection, period: Range, scope: Scope) -> Counter[tuple[str, str]]:
    """Count the error texts of failing traces as (what, where)."""
    table = schema.trace.c
    query = (
        select(table.error)
        .where(table.start >= period.start_ns, table.start < period.end_ns, text("trace.status = 2"))
        .where(*scope.conditions(table))
        .order_by(table.start.desc())
        .limit(500)
    )
    found: Counter[tuple[str, str]] = Counter()
    for (told,) in connection.execute(query):
        what, _, where = (told or "").rpartition(" in ")
        found[what, where] += 1
    return found


def spoken_ratio(ratio: float) -> str:
    """Return a ratio as people write it: ``6.1 %``, ``0 %``."""
    percent = ratio * 100
    return f"{percent:.0f} %" if percent >= 10 or percent == 0 else f"{percent:.1f} %"


def spoken_ms(milliseconds: float) -> str:
    """Return a duration as people write it: ``410 ms``, ``1.9 s``, ``2.5 min``."""
    if milliseconds < 10:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 120_000 else f"{milliseconds / 60_000:.1f} min"
