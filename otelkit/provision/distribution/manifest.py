"""``builder.yaml``: the components of otelkit's Collector, for the OpenTelemetry Collector Builder.

Everything a rendered configuration can name is in it and nothing else, so the public contrib image runs the same files.
0.155.0 is the newest version at which all of these components were published together (facts in docs/pipeline.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from otelkit.provision.documents import as_yaml

__all__ = ["BUILDER", "COMMAND", "OLD_NAMES", "RENDERED_ONLY", "TYPES", "VERSION", "files", "modules"]

VERSION: Final = "0.155.0"
"""The Collector's version; the images in the compose files are of the same one."""

COMMAND: Final = "otelcol-otelkit"
"""The program's name."""

BUILDER: Final = f"go.opentelemetry.io/collector/cmd/builder@v{VERSION}"
"""The Go package of the builder that the manifest is for."""

_CORE: Final = "go.opentelemetry.io/collector"
_CONTRIB: Final = "github.com/open-telemetry/opentelemetry-collector-contrib"
_STABLE: Final = "1.61.0"  # the version of the modules that are past 1.0, of the same release

_COMPONENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "receivers": (
        f"{_CORE}/receiver/otlpreceiver",
        f"{_CONTRIB}/receiver/filelogreceiver",
        f"{_CONTRIB}/receiver/kafkareceiver",
        f"{_CONTRIB}/receiver/prometheusreceiver",
    ),
    "processors": (
        f"{_CORE}/processor/memorylimiterprocessor",
        f"{_CONTRIB}/processor/attributesprocessor",
        f"{_CONTRIB}/processor/deltatocumulativeprocessor",
        f"{_CONTRIB}/processor/filterprocessor",
        f"{_CONTRIB}/processor/redactionprocessor",
        f"{_CONTRIB}/processor/resourcedetectionprocessor",
        f"{_CONTRIB}/processor/resourceprocessor",
        f"{_CONTRIB}/processor/tailsamplingprocessor",
        f"{_CONTRIB}/processor/transformprocessor",
    ),
    "exporters": (
        f"{_CORE}/exporter/debugexporter",
        f"{_CORE}/exporter/otlpexporter",
        f"{_CORE}/exporter/otlphttpexporter",
        f"{_CONTRIB}/exporter/fileexporter",
        f"{_CONTRIB}/exporter/kafkaexporter",
        f"{_CONTRIB}/exporter/prometheusexporter",
        f"{_CONTRIB}/exporter/prometheusremotewriteexporter",
    ),
    "connectors": (
        f"{_CORE}/connector/forwardconnector",
        f"{_CONTRIB}/connector/signaltometricsconnector",
    ),
    "extensions": (
        f"{_CONTRIB}/extension/basicauthextension",
        f"{_CONTRIB}/extension/bearertokenauthextension",
        f"{_CONTRIB}/extension/healthcheckextension",
        f"{_CONTRIB}/extension/storage/filestorage",
    ),
}
TYPES: Final[Mapping[str, frozenset[str]]] = {
    "receivers": frozenset({"otlp", "file_log", "kafka", "prometheus"}),
    "processors": frozenset(
        {
            *("memory_limiter", "attributes", "deltatocumulative", "filter", "redaction", "resource"),
            *("resource_detection", "tail_sampling", "transform"),
        }
    ),
    "exporters": frozenset(
        {"debug", "otlp_grpc", "otlp_http", "file", "kafka", "prometheus", "prometheus_remote_write"}
    ),
    "connectors": frozenset({"forward", "signal_to_metrics"}),
    "extensions": frozenset({"basicauth", "bearertokenauth", "health_check", "file_storage"}),
}
"""The names that a configuration calls these components by."""

OLD_NAMES: Final[Mapping[str, str]] = {
    "filelog": "file_log",
    "otlphttp": "otlp_http",
    "prometheusremotewrite": "prometheus_remote_write",
    "resourcedetection": "resource_detection",
    "signaltometrics": "signal_to_metrics",
}
"""What these components were called before, which is still understood."""

RENDERED_ONLY: Final = frozenset({"elasticsearch", "loadbalancing"})
"""Exporters that a configuration may name and this distribution lacks: at this version they were not published."""

_PROVIDERS: Final = tuple(f"{_CORE}/confmap/provider/{name}provider" for name in ("env", "file", "yaml"))


@dataclass(frozen=True, slots=True)
class _Module:
    gomod: str


@dataclass(frozen=True, slots=True)
class _Distribution:
    name: str
    description: str
    version: str
    output_path: str


def files() -> Mapping[str, str]:
    """Return the builder's manifest."""
    dist = _Distribution(COMMAND, "OpenTelemetry Collector for otelkit", VERSION, "./dist")
    content = {"dist": dist, **{kind: [_Module(entry) for entry in entries] for kind, entries in modules().items()}}
    says = "The components of otelkit's Collector. `otelkit collector build` makes the program from it."
    return {"builder.yaml": as_yaml(content, says=says)}


def modules() -> Mapping[str, tuple[str, ...]]:
    """Return each kind of component with its Go modules as ``MODULE vVERSION``, in the manifest's order."""
    pinned = {kind: tuple(f"{name} v{VERSION}" for name in names) for kind, names in _COMPONENTS.items()}
    return {**pinned, "providers": tuple(f"{name} v{_STABLE}" for name in _PROVIDERS)}
