"""Something to look at: one test trace, or two hours of made-up telemetry; received as if a service had sent it."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from otelkit.mapping.otlp import encode_logs, encode_spans
from otelkit.server.api.asking import Deed, caller
from otelkit.server.api.responses import Json
from otelkit.server.demo import ENVIRONMENT, PEOPLE, SERVICES, Demo, demo, sample
from otelkit.server.pipeline import Pipeline
from otelkit.server.storage import audit
from otelkit.server.storage.environments import delete_records, delete_sums

__all__ = ["load_demo", "remove_demo", "send_sample"]

_AT_ONCE: Final = 400  # records of a request, as SDKs send them


def send_sample(deed: Deed) -> Json:
    deed.fields(())
    return _send(deed.context.pipeline, sample(time.time(), secrets.token_hex(8)))


def load_demo(deed: Deed) -> Json:
    deed.fields(())
    deed.context.pipeline.run(
        lambda connection: audit.note(connection, "demo.loaded", actor=caller(deed.context))
    ).result()
    return _send(deed.context.pipeline, demo(time.time()))


def remove_demo(deed: Deed) -> Json:
    """Take out what :func:`load_demo` and :func:`send_sample` sent, in steps between which services are heard."""
    deed.fields(())
    gone: Counter[str] = Counter()
    run = deed.context.pipeline.run
    while some := run(lambda connection: delete_records(connection, ENVIRONMENT, SERVICES, _AT_ONCE)).result():
        gone.update(some)

    def finish(connection: Connection) -> None:
        delete_sums(connection, ENVIRONMENT, SERVICES, PEOPLE)
        audit.note(connection, "demo.removed", actor=caller(deed.context), before=dict(gone))

    run(finish).result()
    return {name: gone[name] for name in ("traces", "spans", "logs")}


def _send(pipeline: Pipeline, made: Demo) -> Json:
    """Send everything in turn: the memory that may wait is the senders', so no more than a request's is taken."""
    for batch in _cut(made.spans):
        _submit(pipeline, "spans", encode_spans(batch))
    for batch in _cut(made.logs):
        _submit(pipeline, "logs", encode_logs(batch))
    return {
        "environment": ENVIRONMENT,
        "traces": len({span.trace_id for span in made.spans}),
        "spans": len(made.spans),
        "logs": len(made.logs),
        "trace_id": made.spans[-1].trace_id.hex(),
    }


def _submit(pipeline: Pipeline, signal: str, body: bytes) -> None:
    pipeline.hold(len(body))
    pipeline.submit(signal, body, encoding="identity", json=False).result()


def _cut(records: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(records), _AT_ONCE):
        yield records[start : start + _AT_ONCE]
