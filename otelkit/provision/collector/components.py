"""Pipelines of components, as values: what a pipeline names is what the file defines, no more and no less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from otelkit.provision.collector.variables import Variable, Variables

__all__ = ["Component", "Configuration", "Kind", "Pipeline", "Queue", "Retry", "Signal", "listener", "sender"]


class Kind(StrEnum):
    """The sections of a configuration, in the order in which they are written."""

    EXTENSION = "extensions"
    RECEIVER = "receivers"
    PROCESSOR = "processors"
    CONNECTOR = "connectors"
    EXPORTER = "exporters"


class Signal(StrEnum):
    """What flows through a pipeline."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


@dataclass(frozen=True)
class Component:
    """One component: ``name`` as the pipelines call it (``type`` or ``type/name``), and its settings."""

    kind: Kind
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One leg: a connector stands among the exporters of one pipeline and the receivers of another."""

    signal: Signal
    name: str
    receivers: tuple[Component, ...]
    processors: tuple[Component, ...]
    exporters: tuple[Component, ...]

    @property
    def id(self) -> str:
        """How the service section calls it."""
        return f"{self.signal}/{self.name}"


@dataclass(frozen=True, slots=True)
class Queue:
    """An exporter's queue on disk. Batches are made behind it: what was acknowledged is on disk before it is batched.

    Attributes:
        storage: the extension that keeps it.
        sizer: what ``queue_size`` counts.
    """

    storage: str
    sizer: str = "bytes"
    queue_size: str = str(Variables.QUEUE_BYTES)
    batch: Mapping[str, Any] = field(
        default_factory=lambda: {"sizer": "items", "flush_timeout": "200ms", "min_size": 2048, "max_size": 4096}
    )


@dataclass(frozen=True, slots=True)
class Retry:
    """Again and again until it is taken: ``max_elapsed_time`` 0 is without an end."""

    initial_interval: str = "1s"
    max_interval: str = "30s"
    max_elapsed_time: int = 0


@dataclass(frozen=True, slots=True)
class Configuration:
    """A whole file: ``says`` stands at its head; extensions are the ones that no pipeline names."""

    says: str
    pipelines: tuple[Pipeline, ...]
    extensions: tuple[Component, ...]

    def document(self) -> Mapping[str, Any]:
        """Return the file's content, sections and components in a fixed order."""
        made: dict[str, Any] = {}
        for kind in Kind:
            found = {part.name: dict(part.settings) for part in self._components() if part.kind is kind}
            if found:
                made[kind.value] = found
        return {**made, "service": self._service()}

    def _components(self) -> Iterable[Component]:
        yield from self.extensions
        for pipeline in self.pipelines:
            yield from (*pipeline.receivers, *pipeline.processors, *pipeline.exporters)

    def _service(self) -> Mapping[str, Any]:
        return {
            "extensions": [extension.name for extension in self.extensions],
            "pipelines": {pipeline.id: _named(pipeline) for pipeline in self.pipelines},
            "telemetry": _OWN_METRICS,
        }


# The Collector's own metrics, scraped: they say what was accepted, refused, queued and lost. Named as the Collector's
# documentation names them, without unit and _total.
_OWN_METRICS: Final = {
    "metrics": {
        "level": "normal",
        "readers": [
            {
                "pull": {
                    "exporter": {
                        "prometheus": {
                            "host": str(Variables.SCRAPE_HOST),
                            "port": str(Variables.METRICS_PORT),
                            "without_scope_info": True,
                            "without_type_suffix": True,
                            "without_units": True,
                        }
                    }
                }
            }
        ],
    }
}


def _named(pipeline: Pipeline) -> Mapping[str, list[str]]:
    parts = {"receivers": pipeline.receivers, "processors": pipeline.processors, "exporters": pipeline.exporters}
    return {section: [part.name for part in found] for section, found in parts.items()}


def listener(host: Variable, port: Variable) -> str:
    """Return ``host:port`` of something that listens."""
    return f"{host}:{port}"


def sender(name: str, storage: Component, settings: Mapping[str, Any]) -> Component:
    """An exporter that loses nothing: a queue on disk, and retries without an end."""
    return Component(
        Kind.EXPORTER,
        name,
        {**settings, "timeout": "10s", "retry_on_failure": Retry(), "sending_queue": Queue(storage.name)},
    )
