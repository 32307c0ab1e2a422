"""``otelkit doctor``: send a marked record of each kind and follow it to the end."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from otelkit import settings
from otelkit.cli.doctor.report import Line, Report, Verdict

if TYPE_CHECKING:
    from otelkit.cli.doctor.marked import Mark
    from otelkit.cli.doctor.middle import Collector
    from otelkit.settings import Settings

__all__ = ["add_parser"]

_EPILOG: Final = """examples:
  otelkit doctor                                    what is configured here, and what listens where it usually does
  otelkit doctor --endpoint http://collector:4318 --prometheus http://prometheus:9090 --loki http://loki:3100
  otelkit doctor --json --wait 60                   for scripts; exit status 1 when a hop is broken
  otelkit doctor --loki none --traces none          do not look there

Each backend that an option names must answer; the others are looked at where they answer. What is sent belongs to the
service otelkit-doctor and holds no data.
"""
_ADDRESSES: Final = {
    "prometheus": ("http://127.0.0.1:9090", "Prometheus"),
    "loki": ("http://127.0.0.1:3100", "Loki"),
    "traces": ("http://127.0.0.1:16686", "Jaeger or Tempo"),
    "server": ("", "otelkit server (default: the endpoint, or http://127.0.0.1:4320 behind a Collector)"),
}
_COLLECTOR: Final = "http://127.0.0.1:8888"
_BEHIND: Final = "http://127.0.0.1:4320"  # where a server listens when a Collector has 4318
_NAME_ONE: Final = "name where records end: --server, --prometheus, --loki or --traces"
_INTERRUPTED: Final = 130


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "doctor",
        help="send a marked trace, metric, log and event and follow each to its end",
        description="Send a marked trace, metric, log and event through what is configured and follow each to its end.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--endpoint", type=_address, metavar="URL", help="where OTLP goes (OTEL_EXPORTER_OTLP_ENDPOINT)"
    )
    parser.add_argument(
        "--collector", type=_address, metavar="URL", help=f"the Collector's own metrics (default: {_COLLECTOR})"
    )
    for name, (default, what) in _ADDRESSES.items():
        shown = f"{what} (default: {default})" if default else what
        parser.add_argument(f"--{name}", type=_address, metavar="URL", help=shown)
    parser.add_argument("--wait", type=_seconds, default=45.0, metavar="SECONDS", help="for each record (default: 45)")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.set_defaults(run=_run)


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = text == "none" or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:  # a port that is no number
        usable = False
    if not usable:  # a password may be in what was typed
        shown = "that" if "@" in text else repr(text)
        raise argparse.ArgumentTypeError(f"{shown} is no address: write http://host:port, or none")
    return text


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds between 0 and 3600")
    return value


def _run(args: argparse.Namespace) -> int:
    report = Report(as_json=args.json)
    try:
        _examine(args, report)
    except KeyboardInterrupt:
        report.add(Line("doctor", Verdict.FAIL, "interrupted before the end"))
        report.end()
        return _INTERRUPTED
    return report.end()


def _examine(args: argparse.Namespace, report: Report) -> None:
    from otelkit.cli.doctor import endpoint, marked, middle

    options = settings.load(endpoint=args.endpoint)
    report.add(*endpoint.check_settings(options))
    if not report.failed:
        report.add(*endpoint.check_endpoints(options))
    if report.failed:
        return
    collector = middle.Collector(args.collector or _COLLECTOR)
    mark, line = marked.send(options, args.endpoint)
    report.add(line)
    if not report.failed:
        _follow(args, options, mark, collector, report)


def _follow(args: argparse.Namespace, options: Settings, mark: Mark, collector: Collector, report: Report) -> None:
    from otelkit.cli.doctor.backends import backends, follow
    from otelkit.cli.doctor.endpoint import server_beside, unsent

    if collector.answers:
        report.add(collector.line())
    named = {name: getattr(args, name) for name in _ADDRESSES}
    between = _BEHIND if collector.answers else server_beside(options)
    defaults = {name: default or between for name, (default, _) in _ADDRESSES.items()}
    present = []
    for backend in backends(named, defaults, options, direct=not collector.answers):
        absent = backend.absent()
        if absent is None:
            present.append(backend)
        report.add(*filter(None, [absent or backend.clock()]))
    if not present:
        report.add(Line("followed", Verdict.WARN, "nothing: no backend was found", advice=_NAME_ONE))
    for line in follow(present, mark, args.wait, collector.why_not, unsent(options)):
        report.add(line)
    for backend in present:
        report.add(*backend.remarks())
