"""What the commands that work on the store share: opening it, and times on the command line."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from otelkit import settings
from otelkit.cli.serve import chosen_database
from otelkit.errors import MissingExtraError
from otelkit.settings.parsers import age

if TYPE_CHECKING:
    from otelkit.server.storage.database import Database

__all__ = ["moment", "opened"]

_LAST: Final = 2**63 - 1


@contextmanager
def opened(args: argparse.Namespace, *, shared: bool) -> Iterator[Database]:
    """Open the database that ``--db`` or the settings name; ``shared`` is for looking, beside a running server."""
    try:
        from otelkit.server.storage.database import Database
    except ImportError as error:
        raise MissingExtraError(f"otelkit {args.command}", "server") from error
    database = Database(chosen_database(args.db, settings.load()), shared=shared)
    try:
        yield database
    finally:
        database.close()


def moment(text: str) -> int:
    """Return nanoseconds since the epoch of a date, a date and time (local unless it says), or an age."""
    try:
        return int(time.time() - age(text)) * 10**9 if re.fullmatch(r"\d+[a-z]+", text) else _date(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00Z, or 24h for a day ago"
        ) from None


def _date(text: str) -> int:
    try:
        return min(int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 10**9, _LAST)
    except OverflowError:  # at the end of the calendar, in a zone that is behind
        return _LAST
