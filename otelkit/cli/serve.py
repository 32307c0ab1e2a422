"""``otelkit serve``: receive, keep and show telemetry on this machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from otelkit import settings
from otelkit.errors import OtelkitError
from otelkit.settings.parsers import Parser, age, size

if TYPE_CHECKING:
    from otelkit.server.config import ServerConfig

__all__ = ["add_parser", "run"]

_EPILOG: Final = """examples:
  otelkit serve                            page and OTLP on http://127.0.0.1:4318
  otelkit serve --port 0 --db :temp:       any free port, forgotten at the end
  otelkit serve --db ./traces.db --prices prices.toml
  otelkit serve --keep 7d --max-size 10GB  the oldest records go
  OTELKIT_DATABASE_URL=postgresql://otelkit:…@db/telemetry otelkit serve

Every OpenTelemetry SDK sends to port 4318 when it is told nothing else.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "serve",
        help="receive telemetry on this machine and show it on a page",
        description="Receive traces, metrics and logs over OTLP/HTTP, keep them in one file, show them on a page.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, help="port for page, API and OTLP (default 4318; 0: any free one)")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1; only this machine is allowed)")
    parser.add_argument(
        "--db", metavar="PATH", help="database file, :temp:, or postgresql://… (default in your data directory)"
    )
    parser.add_argument(
        "--keep", metavar="AGE", type=_parsed(age), help="how long records stay: 30d, 12h, forever (default 30d)"
    )
    parser.add_argument(
        "--max-size", metavar="SIZE", type=_parsed(size), help="how large the file may grow: 10GB (default unlimited)"
    )
    parser.add_argument("--prices", metavar="FILE", type=Path, help="TOML or JSON file with prices of models")
    parser.add_argument("--drop-content", action="store_true", help="drop prompts and answers even if they are sent")
    parser.set_defaults(run=run)


def _parsed(parse: Parser) -> Parser:
    def value(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"must be {error}") from None

    return value


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; 0 after a stop in order, 2 where it cannot start."""
    try:
        config = _config(args)
        from otelkit.server.runtime import Server

        server = Server(config)
    except OtelkitError as error:
        print(f"otelkit serve: {error}", file=sys.stderr)
        return 2
    print(banner(server.url, server.database.location), flush=True)
    server.run()
    return 0


def banner(url: str, database: str) -> str:
    """Return what is printed once the server answers."""
    return (
        f"otelkit is listening\n"
        f"  page   {url}/\n"
        f"  OTLP   {url}  (HTTP: protobuf or JSON)\n"
        f"  data   {database}\n"
        f"Send from any service:  OTEL_EXPORTER_OTLP_ENDPOINT={url}\n"
        f"Ctrl-C stops it."
    )


def _config(args: argparse.Namespace) -> ServerConfig:
    try:
        from otelkit.server.config import ServerConfig, default_database
    except ImportError as error:
        from otelkit.errors import MissingExtraError

        raise MissingExtraError("otelkit serve", "server") from error
    options = settings.load()
    environ = settings.current_environment()
    database = args.db or options.database_url or str(options.database or default_database(environ))
    return ServerConfig(
        host=args.host or options.host,
        port=args.port if args.port is not None else options.port,
        database=database,
        prices=args.prices or options.prices,
        free_providers=options.free_providers,
        keep_content=not args.drop_content,
        keep=args.keep if args.keep is not None else options.keep,
        max_size=args.max_size if args.max_size is not None else options.max_size,
    )
