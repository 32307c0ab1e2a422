"""What a server is started with."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from otelkit.errors import SettingsError

if TYPE_CHECKING:
    from otelkit.server.access import Role

__all__ = ["DEFAULT_PORT", "TEMPORARY", "ServerConfig", "database_url", "default_database"]

DEFAULT_PORT: Final = 4318
TEMPORARY: Final = ":temp:"


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Options of one server; sizes in bytes, times in seconds.

    :meth:`validate` raises :class:`SettingsError` for what cannot work.

    ``database`` is a file, ``:temp:`` for one that is deleted when the server stops, or a PostgreSQL URL.
    ``keep_content`` False drops prompts, completions and other content even where the sender sent it; True keeps what
    arrives, because the sender has already decided. ``grpc_port`` is where OTLP/gRPC is received, None for nowhere.
    ``max_series`` is how many spans' and how many logs' names are told apart, further ones are "(other)"; points of
    metric series beyond ``max_metric_series`` are refused. ``head_seconds`` and ``request_seconds`` are how long a
    request's headers and its body may take. ``keep`` and ``max_size`` say when the oldest records are deleted,
    ``audit_keep`` when audit records are; 0 is never. ``tokens`` by role (see ``access.Access``) are what a caller must
    show; an address other than this machine's needs some. ``tls`` is (certificate, key) in PEM. ``salt`` is the
    services' own, with which an id can be looked for.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    grpc_port: int | None = None
    database: str = field(default=TEMPORARY, repr=False)  # may hold a password
    prices: Path | None = None
    free_providers: tuple[str, ...] = ()
    keep_content: bool = True
    max_body: int = 16 * 1024 * 1024
    max_decoded: int = 64 * 1024 * 1024
    max_waiting: int = 96 * 1024 * 1024
    max_connections: int = 4_000
    head_seconds: float = 10.0
    request_seconds: float = 60.0
    max_series: int = 20_000
    max_metric_series: int = 100_000
    keep: int = 0
    max_size: int = 0
    audit_keep: int = 0
    cache: int = 32 * 1024 * 1024
    tokens: Mapping[Role, str | None] = field(default_factory=dict, repr=False)
    tls: tuple[Path, Path] | None = None
    salt: bytes | None = field(default=None, repr=False)

    def validate(self) -> None:
        """Check what can be checked before anything is opened."""
        if not is_loopback(self.host) and not self.tokens.get("admin"):
            raise SettingsError(
                f"host {self.host!r} is not this machine, so whoever asks must show a token: set OTELKIT_TOKEN "
                "(`openssl rand -hex 32` makes one), or stay on 127.0.0.1 and tunnel to it "
                "(ssh -L 4318:127.0.0.1:4318 HOST)"
            )
        if unknown := set(self.tokens) - {"admin", "read", "ingest"}:
            raise SettingsError(f"there is no role {', '.join(sorted(unknown))}: tokens are for admin, read and ingest")
        for file in self.tls or ():
            if not file.is_file():
                raise SettingsError(f"the TLS file {file} does not exist")
        if database_url(self.database) is not None and self.max_size:
            raise SettingsError("a limit of size is for a file; in PostgreSQL limit the age (OTELKIT_KEEP, --keep)")
        for port in (self.port, self.grpc_port or 0):
            if not 0 <= port <= 65535:
                raise SettingsError(f"port {port} is not a port: allowed are 1 to 65535, and 0 for any free one")
        if self.prices is not None and not self.prices.is_file():
            raise SettingsError(f"the price file {self.prices} does not exist")


def is_loopback(host: str) -> bool:
    """Say whether an address or name can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def database_url(location: str) -> URL | None:
    """Return the address of a PostgreSQL database, None for a file; raise :class:`SettingsError` for other addresses.

    The error never quotes the address, which may hold a password.
    """
    if "://" not in location:
        return None
    try:
        url = make_url(location)
    except (ArgumentError, ValueError):  # such as a port that is no number
        url = None
    if url is None or url.drivername not in ("postgresql", "postgres", "postgresql+psycopg") or not url.database:
        raise SettingsError(
            "the database is neither a file nor an address such as postgresql://user:password@host:5432/name"
        ) from None
    return url


def default_database(environ: Mapping[str, str]) -> str:
    """Return where the data of this user lives: ``$XDG_DATA_HOME/otelkit/otelkit.db``."""
    base = environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return str(Path(base) / "otelkit" / "otelkit.db")
