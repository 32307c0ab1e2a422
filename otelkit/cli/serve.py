"""``otelkit serve``: receive, keep and show telemetry on this machine."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from otelkit import settings
from otelkit.cli.processes import is_free
from otelkit.errors import OtelkitError, SettingsError
from otelkit.settings.parsers import Parser, age, port_or, size

if TYPE_CHECKING:
    from otelkit.server.access import Role
    from otelkit.server.config import ServerConfig
    from otelkit.server.runtime import Server

__all__ = ["add_parser", "chosen_database", "run"]

_GRPC_PORT: Final = 4317
_EPILOG: Final = """examples:
  otelkit serve                            page and OTLP on http://127.0.0.1:4318
  otelkit serve --port 0 --db :temp:       any free port, forgotten at the end
  otelkit serve --db ./traces.db --prices prices.toml
  otelkit serve --keep 7d --max-size 10GB  the oldest records go
  OTELKIT_TOKEN=$(openssl rand -hex 32) otelkit serve --host 0.0.0.0
  OTELKIT_DATABASE_URL=postgresql://otelkit:…@db/telemetry otelkit serve

Every OpenTelemetry SDK sends to port 4318 when it is told nothing else.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "serve",
        help="receive telemetry on this machine and show it on a page",
        description="Receive traces, metrics and logs over OTLP, keep them in one file, show them on a page.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, help="port for page, API and OTLP (default 4318; 0: any free one)")
    parser.add_argument(
        "--grpc-port",
        metavar="PORT",
        type=_parsed(port_or("auto", "off")),
        help="port for OTLP/gRPC, or off (default auto: 4317 where it is free)",
    )
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1; any other needs OTELKIT_TOKEN)")
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
    print(banner(server), flush=True)
    server.run()
    return 0


def banner(server: Server) -> str:
    """Return what is printed once the server answers."""
    lines = [
        "otelkit is listening",
        f"  page   {server.url}/",
        f"  OTLP   {server.url}  (HTTP: protobuf or JSON)",
    ]
    if server.grpc_port:
        lines.append(f"  OTLP   {server.url.rpartition(':')[0]}:{server.grpc_port}  (gRPC)")
    lines.append(f"  data   {server.database.location}")
    if server.config.tokens.get("admin") and not server.config.tls:
        lines.append("  note   tokens travel in plain text: set OTELKIT_TLS_CERTIFICATE, or put a TLS proxy in front")
    header = " OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20…'" if server.config.tokens else ""
    lines += [f"Send from any service:  OTEL_EXPORTER_OTLP_ENDPOINT={server.url}{header}", "Ctrl-C stops it."]
    return "\n".join(lines)


def chosen_database(given: str | None, options: settings.Settings) -> str:
    """Return the database of a command: what was given, else what is set, else the one in the data directory."""
    from otelkit.server.config import default_database

    environ = settings.current_environment()
    return given or options.database_url or str(options.database or default_database(environ))


def _config(args: argparse.Namespace) -> ServerConfig:
    try:
        from otelkit.server.config import ServerConfig
    except ImportError as error:
        from otelkit.errors import MissingExtraError

        raise MissingExtraError("otelkit serve", "server") from error
    options = settings.load()
    database = chosen_database(args.db, options)
    host = args.host or options.host
    return ServerConfig(
        host=host,
        port=args.port if args.port is not None else options.port,
        grpc_port=_grpc_port(args.grpc_port if args.grpc_port is not None else options.grpc_port, host),
        database=database,
        prices=args.prices or options.prices,
        free_providers=options.free_providers,
        keep_content=not args.drop_content,
        keep=args.keep if args.keep is not None else options.keep,
        max_size=args.max_size if args.max_size is not None else options.max_size,
        audit_keep=options.audit_keep,
        tokens=_tokens(options),
        tls=_tls(options.tls_certificate, options.tls_key),
        salt=_salt(options),
    )


def _grpc_port(wanted: int | str, host: str) -> int | None:
    """Return the port for OTLP/gRPC; what nobody asked for by number may be missing."""
    if wanted == "off":
        return None
    if isinstance(wanted, int):
        return wanted
    installed = importlib.util.find_spec("grpc") is not None
    return _GRPC_PORT if installed and is_free(host, _GRPC_PORT) else None


def _tokens(options: settings.Settings) -> Mapping[Role, str | None]:
    tokens: dict[Role, str | None] = {
        "admin": options.token,
        "read": options.read_token,
        "ingest": options.ingest_token,
    }
    return {role: token for role, token in tokens.items() if token}


def _salt(options: settings.Settings) -> bytes | None:
    """Return the salt that services on this machine use, None where there is none to be read."""
    if options.salt:
        return options.salt.encode("utf-8", "surrogatepass")
    try:
        return (options.salt_file or settings.data_directory() / "salt").read_text().strip().encode() or None
    except OSError:
        return None


def _tls(certificate: Path | None, key: Path | None) -> tuple[Path, Path] | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise SettingsError("TLS needs both OTELKIT_TLS_CERTIFICATE and OTELKIT_TLS_KEY")
    return certificate, key
