"""A PostgreSQL server of the tests' own: made in a temporary folder, asked for a password, thrown away at the end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PASSWORD = "correct-horse-battery"
_FAST = ("fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=64MB", "max_connections=60")


def programs() -> Path | None:
    """Return the folder with PostgreSQL's programs, the newest version, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class PostgresServer:
    """One running server; it refuses to run as root, so there it runs as its own user."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder
        self._user = "postgres" if os.getuid() == 0 else None
        self._home = Path(tempfile.mkdtemp(prefix="otelkit-pg-"))
        self._port = _free_port()
        secret = self._home / "secret"
        secret.write_text(PASSWORD)
        if self._user:
            owner = pwd.getpwnam(self._user)
            for path in (self._home, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        options = ["--auth=scram-sha-256", "--username=otelkit", f"--pwfile={secret}", "--no-sync", "--encoding=UTF8"]
        self._run("initdb", "-D", str(self._home / "data"), "--locale=C.UTF-8", *options)
        self.start()

    def start(self) -> None:
        settings = [f"--{setting}" for setting in _FAST]
        listening = ["-h", "127.0.0.1", "-p", str(self._port), "-k", ""]
        self._run("pg_ctl", "start", "-w", "-D", str(self._home / "data"), "-l", str(self._home / "log"),
                  "-o", " ".join([*settings, *(part or "''" for part in listening)]))  # fmt: skip

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self._home / "data"))

    def remove(self) -> None:
        if (self._home / "data" / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def new_database(self) -> str:
        """Return the URL of a new, empty database."""
        name = f"t_{secrets.token_hex(6)}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str, *, password: str = PASSWORD) -> str:
        return f"postgresql://otelkit:{password}@127.0.0.1:{self._port}/{name}"

    def sql(self, database: str, statement: str) -> list[tuple[object, ...]]:
        """Run one statement as somebody else than the server under test."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *words: str) -> None:
        found = subprocess.run(
            [str(self.programs / program), *words], user=self._user, cwd="/", capture_output=True, timeout=60
        )
        assert found.returncode == 0, found.stdout + found.stderr


def running_postgres() -> Iterator[PostgresServer]:
    """Yield a server for a session's tests; without it they are skipped, or fail where everything is required."""
    folder = programs()
    try:
        import psycopg  # noqa: F401
    except ImportError:
        folder = None
    if folder is None:
        message = "nothing is tested on PostgreSQL: its server (apt install postgresql) or psycopg is missing"
        if os.environ.get("OTELKIT_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)
    server = PostgresServer(folder)
    yield server
    server.remove()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
