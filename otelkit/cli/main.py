"""Parse the command line and run the command."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from otelkit.cli import alerts, audit, collector, db, demo, dev, doctor, provision, run, serve, settings
from otelkit.errors import OtelkitError
from otelkit.settings import package_version

__all__ = ["main"]

_EPILOG: Final = """examples:
  otelkit dev -- uvicorn app:app      your service and a page that shows it, no code change
  otelkit run -- uvicorn app:app      your service instrumented, telemetry to OTEL_EXPORTER_OTLP_ENDPOINT
  otelkit serve                       receive, keep and show telemetry on http://127.0.0.1:4318
  otelkit db stats                    what is stored; also compact, backup, export and import
  otelkit audit verify                who did what, and that nothing of it was changed
  otelkit collector run               the pipeline: metrics, logs, traces and events to where they belong
  otelkit alerts list                 what fires now; also mute, muted, unmute
  otelkit provision                   Collector configuration, alert rules and dashboards, in collector/
  otelkit doctor                      where telemetry ends, hop by hop, and where it breaks
  otelkit demo                        a chatbot at work, with all of it
  otelkit settings                    every option, its variable and its value
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``otelkit``; the exit status is 0 for success, 2 for wrong input, else the command's own."""
    parser = argparse.ArgumentParser(
        prog="otelkit",
        description="Observability and product analytics for Python LLM services.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"otelkit {package_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (dev, run, serve, collector, provision, alerts, doctor, db, audit, demo, settings):
        command.add_parser(commands)
    args = parser.parse_args(argv)
    try:
        return int(args.run(args))
    except OtelkitError as error:
        print(f"otelkit {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `otelkit settings | head`: who reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
