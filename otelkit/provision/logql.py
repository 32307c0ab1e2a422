"""LogQL made from the catalogue, as :mod:`otelkit.provision.promql` makes PromQL.

Loki indexes few labels (:data:`otelkit.provision.stores.INDEX_LABELS`); every other attribute is structured metadata
and is asked for after the selector.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from otelkit.provision.promql import Match, equals, label
from otelkit.provision.stores import INDEX_LABELS
from otelkit.semconv.events import CATALOGUE

__all__ = ["EVENT_NAME", "SEVERITY", "TRACE_ID", "Lines", "LogExpr", "event", "lines"]

EVENT_NAME: Final = "event_name"
"""The Collector copies a record's event name there, because Loki drops it."""

SEVERITY: Final = "severity_number"
TRACE_ID: Final = "trace_id"

_PROPERTIES: Final = {entry.name: {item.name for item in entry.properties} for entry in CATALOGUE}


@dataclass(frozen=True, slots=True)
class LogExpr:
    """A metric made of log lines; ``events`` are the product events it counts, none where it counts any lines."""

    text: str
    by: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Lines:
    """Log lines: a selector, and what is asked of them after it."""

    selector: str
    stages: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((self.selector, *self.stages))

    @property
    def text(self) -> str:
        """The query."""
        return str(self)

    def where(self, *conditions: Match) -> Lines:
        """Keep those whose structured metadata match."""
        return replace(self, stages=(*self.stages, *(f"| {condition}" for condition in conditions)))

    def at_least(self, attribute: str, value: float) -> Lines:
        """Keep those whose attribute is a number of at least ``value``."""
        return replace(self, stages=(*self.stages, f"| {label(attribute)} >= {value:.12g}"))

    def count(self, window: str, by: tuple[str, ...] = ()) -> LogExpr:
        """How many there were in ``window``."""
        kept = f" by ({', '.join(map(label, by))})" if by else ""
        return LogExpr(f"sum{kept} (count_over_time({self} [{window}]))", by, self.events)


def lines(*where: Match) -> Lines:
    """Return log lines by conditions on any attributes; at least one must be on an indexed one."""
    index = [condition for condition in where if condition.attribute in INDEX_LABELS]
    if not index:
        raise ValueError("Loki needs a condition on one of " + ", ".join(INDEX_LABELS))
    rest = [condition for condition in where if condition.attribute not in INDEX_LABELS]
    return Lines(f"{{{', '.join(map(str, index))}}}").where(*rest)


def event(name: str, *where: Match, **properties: str) -> Lines:
    """Return the product events of a name, by conditions on indexed attributes and by values of their properties.

    Raises:
        ValueError: there is no such event in the catalogue, or it has no such property.
    """
    if name not in _PROPERTIES:
        raise ValueError(f"there is no event {name}")
    if unknown := properties.keys() - _PROPERTIES[name]:
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))}")
    conditions = (equals(key, value) for key, value in properties.items())
    return replace(lines(*where).where(equals(EVENT_NAME, name), *conditions), events=(name,))
