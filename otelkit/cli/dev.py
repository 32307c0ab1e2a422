"""``otelkit dev -- CMD``: a service and the page that shows it, started together."""

from __future__ import annotations

import argparse
import hashlib
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from otelkit import settings
from otelkit.cli.processes import Family, port_or_free
from otelkit.cli.run import command_of, instrumented_environment

__all__ = ["add_parser", "run"]

_EPILOG: Final = """examples:
  otelkit dev -- uvicorn app:app --reload
  otelkit dev --no-content -- python app.py
  otelkit dev --db :temp: -- uvicorn app:app
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "dev",
        help="run a command with telemetry, and a page that shows it",
        description="Start the local server and your service together, instrumented without a code change.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, help="port of the page (default 4318, or a free one when it is taken)")
    parser.add_argument("--db", metavar="PATH", help="database file, or :temp: (default: one for each folder)")
    parser.add_argument("--service", help="name of the service (default: of the folder)")
    parser.add_argument("--no-content", action="store_true", help="do not record prompts and answers")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD", help="the command to run")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run until the command ends; its exit status is ours."""
    command = command_of(args.words)
    environment = settings.current_environment()
    options = settings.load(environment)
    port = port_or_free(args.port if args.port is not None else options.port)
    # An interrupt from the terminal reaches the command too: it ends first, we then stop the server and follow.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with tempfile.TemporaryDirectory(prefix="otelkit-") as folder, Family() as family:
        address = family.start_server(port, args.db or _database(), environment, Path(folder) / "server.log")
        child_environment = _child_environment(args, options, address)
        settings.load(child_environment)
        print(_banner(address, not args.no_content), file=sys.stderr, flush=True)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what the child inherits
        child = family.start(command[0], command, child_environment)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda number, _: child.signal(number))
        return child.wait()


def _child_environment(args: argparse.Namespace, options: settings.Settings, address: str) -> dict[str, str]:
    environment = instrumented_environment(
        {
            "OTELKIT_ENDPOINT": address,
            "OTEL_EXPORTER_OTLP_ENDPOINT": address,  # of exporters that are not ours, too: what is recorded stays here
            "OTELKIT_PROTOCOL": "http/protobuf",
            "OTELKIT_SERVICE": args.service or options.service or Path.cwd().name,
            "OTELKIT_ENVIRONMENT": options.environment or "dev",
            "OTELKIT_CAPTURE_CONTENT": "false" if args.no_content else "true",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "NO_CONTENT" if args.no_content else "SPAN_ONLY",
            "OTELKIT_FLUSH_SECONDS": "0.2",
            "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        }
    )
    for name in settings.DESTINATIONS:
        environment.pop(name, None)
    return environment


def _database() -> str:
    """One file a folder, so that yesterday's traces of this project are still there."""
    here = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()[:12]
    return str(settings.data_directory() / f"dev-{here}.db")


def _banner(address: str, content: bool) -> str:
    kept = (
        "prompts and answers are recorded, because they stay on this machine (--no-content switches that off)"
        if content
        else "prompts and answers are not recorded"
    )
    return f"otelkit  page {address}/\n         {kept}"
