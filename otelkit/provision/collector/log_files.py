"""Reading a service's JSON log file with the same result as its logs over OTLP.

Not in a line, and so not in the record: where in the code it was logged, an error's fingerprint, time finer than a
millisecond, and the resource, of which only the service's name is given by a variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from otelkit.provision.collector.components import Component, Kind
from otelkit.provision.collector.parts import STORAGE
from otelkit.provision.collector.variables import Variables
from otelkit.semconv import log_file
from otelkit.semconv.attributes import Core
from otelkit.semconv.log_file import Head

__all__ = ["FILE_LOG"]

_ISO: Final = "2006-01-02T15:04:05.000Z07:00"  # a layout, as Go writes them


def _operators() -> Iterator[Mapping[str, Any]]:
    yield {"type": "json_parser", "parse_ints": True, "on_error": "send_quiet", "if": 'body matches "^{"'}
    for head in (log_file.OTEL, log_file.CLASSIC):
        yield from _head(head)
    ids = (log_file.TRACE_ID, log_file.SPAN_ID)
    yield {
        "type": "trace_parser",
        "if": _has(log_file.TRACE_ID),
        **{field: {"parse_from": _field(field)} for field in ids},
    }
    for field in ids:
        yield {"type": "remove", "field": _field(field), "if": _has(field)}
    for field, key in log_file.IDS.items():
        yield {"type": "move", "from": _field(field), "to": _field(key), "if": _has(field)}


def _head(head: Head) -> Iterator[Mapping[str, Any]]:
    """Time, level, logger and message, in lines that call their time as this head does."""
    time, level, logger, message = (_field(name) for name in head)
    levels = {"warn": "WARNING", "fatal": "CRITICAL"}
    steps: tuple[Mapping[str, Any], ...] = (
        {"type": "time_parser", "parse_from": time, "layout_type": "gotime", "layout": _ISO},
        {"type": "severity_parser", "parse_from": level, "mapping": levels, "overwrite_text": True},
        {"type": "scope_name_parser", "parse_from": logger},
        {"type": "move", "from": message, "to": "body"},
        {"type": "remove", "field": level},
        {"type": "remove", "field": logger},
        {"type": "remove", "field": time},  # last: the others ask for it
    )
    yield from ({**step, "if": _has(head.time), "on_error": "send_quiet"} for step in steps)


def _field(name: str) -> str:
    return f'attributes["{name}"]'


def _has(name: str) -> str:
    return f'"{name}" in attributes'


FILE_LOG: Final = Component(
    Kind.RECEIVER,
    "file_log",
    {
        "include": [str(Variables.LOG_FILE)],
        "start_at": "beginning",
        "storage": STORAGE.name,  # where it had got to, for after a restart
        "include_file_name": False,
        "resource": {Core.SERVICE_NAME: str(Variables.LOG_SERVICE)},
        "retry_on_failure": {"enabled": True, "max_elapsed_time": 0},
        "operators": list(_operators()),
    },
)
"""The file is rotated by renaming: the receiver follows it by its first bytes."""
