"""``otelkit db``: look at the store, make it smaller, copy it, take records out and put them in."""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from otelkit import settings
from otelkit.cli.serve import chosen_database
from otelkit.cli.stores import moment, opened
from otelkit.errors import OtelkitError, SettingsError

if TYPE_CHECKING:
    from sqlalchemy import Connection


__all__ = ["add_parser"]

_EPILOG: Final = """examples:
  otelkit db stats                                      rows and bytes by table
  otelkit db backup copy.db                             also while a server writes
  otelkit db compact                                    after much has been deleted; stop the server first
  otelkit db export all.jsonl.gz                        everything, as OTLP JSON lines
  otelkit db export logs.jsonl --signal logs --from 24h --format jsonl
  otelkit db export tables/ --format parquet --from 2026-01-01 --to 2026-02-01
  otelkit db import all.jsonl.gz --db other.db          what is there already changes nothing

The database is --db, else OTELKIT_DATABASE_URL or OTELKIT_DATABASE, else the one in your data directory.
"""
_SIGNALS: Final = ("spans", "logs", "metrics")
_FORMATS: Final = ("otlp", "jsonl", "parquet")
_PYARROW: Final = "Parquet needs pyarrow: pip install 'pyarrow>=15'"
_BAR: Final = 24


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "db",
        help="look at the store, compact, copy, export and import it",
        description="Look at the store, make it smaller, copy it, take records out and put them in.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=lambda args: args.act(args))
    acts = parser.add_subparsers(dest="act_name", metavar="COMMAND", required=True)
    _act(acts, "stats", _stats, "rows and bytes by table")
    _act(acts, "compact", _compact, "give back the room of what was deleted; not while a server has the file")
    backup = _act(acts, "backup", _backup, "copy the file, also while a server writes")
    backup.add_argument("target", type=Path, metavar="FILE", help="the copy, which must not exist yet")
    export = _act(acts, "export", _export, "write records to a file")
    export.add_argument("target", metavar="OUT", help="a file (.gz packs it), - for the standard output, or a folder")
    export.add_argument("--signal", action="append", choices=_SIGNALS, help="only these; may be given again")
    export.add_argument(
        "--from", dest="start", type=moment, metavar="TIME", help="2026-01-31, 2026-01-31T12:00, or 24h"
    )
    export.add_argument("--to", dest="end", type=moment, metavar="TIME", help="up to and without this time")
    export.add_argument(
        "--format",
        choices=_FORMATS,
        default="otlp",
        help="otlp: requests that import and the Collector read; jsonl: flat rows; parquet: a file a signal",
    )
    imported = _act(acts, "import", _import, "read OTLP JSON files, gzip or not; not while a server has the file")
    imported.add_argument("files", type=Path, nargs="+", metavar="FILE")


def _act(
    acts: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    act: Callable[[argparse.Namespace], int],
    meaning: str,
) -> argparse.ArgumentParser:
    parser = acts.add_parser(
        name,
        help=meaning,
        description=f"{meaning[0].upper()}{meaning[1:]}.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--db", metavar="PATH", help="database file or postgresql://… (default: as `otelkit serve`)")
    parser.set_defaults(act=act)
    return parser


def _stats(args: argparse.Namespace) -> int:
    from sqlalchemy import text

    with opened(args, shared=True) as database, database.reading() as connection:
        sizes = database.dialect.sizes(connection)
        rows = []
        for name, size in sizes.items():
            counted = connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()  # noqa: S608  ours
            rows.append((name, int(counted), size))
        rows.sort(key=lambda row: (-(row[2] or 0), row[0]))
        print(f"{database.location}\n")
        print(f"{'table':<16} {'rows':>14} {'bytes':>12}")
        for name, counted, size in rows:
            print(f"{name:<16} {counted:>14,} {_bytes(size):>12}")
        print(f"{'all':<16} {'':>14} {_bytes(database.dialect.size(connection)):>12}")
    return 0


def _bytes(size: int | None) -> str:
    if size is None:
        return "unknown"
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


def _compact(args: argparse.Namespace) -> int:
    location = chosen_database(args.db, settings.load())
    if "://" not in location and not Path(location).expanduser().is_file():
        raise SettingsError(f"{location} does not exist")
    with opened(args, shared=False) as database:
        with database.reading() as connection:
            before = database.dialect.size(connection)
        database.dialect.compact()
        with database.reading() as connection:
            after = database.dialect.size(connection)
    print(f"{_bytes(before)} before, {_bytes(after)} now")
    return 0


def _backup(args: argparse.Namespace) -> int:
    with opened(args, shared=True) as database:
        database.dialect.copy_to(args.target)
    print(f"{args.target}: {_bytes(args.target.stat().st_size)}")
    return 0


def _export(args: argparse.Namespace) -> int:
    signals = tuple(dict.fromkeys(args.signal or _SIGNALS))
    start, end = args.start or 0, args.end if args.end is not None else 2**63 - 1
    if start >= end:
        raise OtelkitError("--to must be after --from")
    with opened(args, shared=True) as database, database.reading() as connection:
        from otelkit.server.storage import records

        total = sum(records.count(connection, signal, start, end) for signal in signals)
        told = _Progress("records", total)
        if args.format == "parquet":
            _write_tables(connection, Path(args.target), signals, (start, end), told)
        else:
            with _target(args.target) as out:
                for signal in signals:
                    for batch in records.stored(connection, signal, start, end):
                        _write_lines(out, signal, batch, flat=args.format == "jsonl")
                        told.more(len(batch))
    told.end(f"{told.done:,} records written to {'the standard output' if args.target == '-' else args.target}")
    return 0


def _write_lines(out: TextIO, signal: str, batch: list[Any], *, flat: bool) -> None:
    from otelkit.server.transfer import as_flat, as_otlp

    rows = [{"signal": signal, **as_flat(record)} for record in batch] if flat else [as_otlp(signal, batch)]
    for row in rows:
        out.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")


@contextmanager
def _target(name: str) -> Iterator[TextIO]:
    """Open the file for writing under another name, and give it its own once it is complete."""
    if name == "-":
        yield sys.stdout
        return
    target = Path(name)
    partial = Path(f"{name}.part")
    if target.exists():
        raise OtelkitError(f"{target} exists already: choose another file")
    try:
        write = gzip.open if target.suffix == ".gz" else open
        with write(partial, "wt", encoding="utf-8", errors="replace") as out:
            yield cast(TextIO, out)
        partial.rename(target)
    except OSError as error:
        raise OtelkitError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _write_tables(
    connection: Connection, folder: Path, signals: tuple[str, ...], times: tuple[int, int], told: _Progress
) -> None:
    """Write one Parquet file a signal, with lists and maps as JSON."""
    try:
        pyarrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise OtelkitError(_PYARROW) from None
    from otelkit.server.storage import records
    from otelkit.server.transfer import as_flat

    folder.mkdir(parents=True, exist_ok=True)
    for signal in signals:
        writer = None
        with _whole_file(folder / f"{signal}.parquet") as partial:
            for batch in records.stored(connection, signal, *times):
                rows = [_cells(as_flat(record)) for record in batch]
                table = pyarrow.Table.from_pylist(rows, schema=writer.schema if writer else _columns(pyarrow, rows[0]))
                writer = writer or parquet.ParquetWriter(partial, table.schema, compression="zstd")
                writer.write_table(table)
                told.more(len(batch))
            if writer is not None:
                writer.close()


@contextmanager
def _whole_file(target: Path) -> Iterator[Path]:
    partial = Path(f"{target}.part")
    if target.exists():
        raise OtelkitError(f"{target} exists already: choose another folder")
    try:
        yield partial
        if partial.exists():
            partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _cells(row: dict[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value, ensure_ascii=False) if name in _NESTED else value for name, value in row.items()}


_NESTED: Final = frozenset({"attributes", "resource", "events", "links", "detail", "bounds", "buckets", "body"})
_FLOATS: Final = frozenset({"value", "total"})
_FLAGS: Final = frozenset({"monotonic", "cumulative"})


def _columns(pyarrow: Any, row: dict[str, Any]) -> Any:
    def kind(name: str, value: Any) -> Any:
        if name in _FLOATS:
            return pyarrow.float64()
        if name in _FLAGS:
            return pyarrow.bool_()
        return pyarrow.int64() if isinstance(value, int) else pyarrow.string()

    return pyarrow.schema([(name, kind(name, value)) for name, value in row.items()])


def _import(args: argparse.Namespace) -> int:
    options = settings.load()
    with opened(args, shared=False) as database:
        from otelkit.server.transfer import import_file, open_store

        store = open_store(database, options.prices, options.free_providers)
        for path in args.files:
            told = _Progress(f"of {path.name}", 0)
            found = import_file(path, store, told.at)
            read = ", ".join(f"{count:,} {signal}" for signal, count in found.read.items()) or "nothing"
            refused = "".join(f"; rejected {count:,}: {reason}" for reason, count in found.rejected.items())
            told.end(f"{path}: {read}{refused}")
            if found.rejected.get("too_old"):
                print("too_old: older than what was deleted here for its age; a fresh --db takes all.", file=sys.stderr)
    return 0


class _Progress:
    """A bar on the terminal, redrawn a few times a second; nothing where the errors' stream is no terminal."""

    def __init__(self, what: str, total: int) -> None:
        self.done = 0
        self._what = what
        self._total = total
        self._shown = 0.0
        self._live = sys.stderr.isatty()

    def more(self, count: int) -> None:
        """Say that so many more are done."""
        self.at(self.done + count, self._total)

    def at(self, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` are done."""
        self.done, self._total = done, total
        now = time.monotonic()
        if self._live and now - self._shown > 0.2:
            self._shown = now
            share = min(1.0, done / total) if total else 1.0
            bar = "█" * round(share * _BAR)
            print(f"\r{bar:░<{_BAR}} {share:4.0%} {self._what}", end="", file=sys.stderr, flush=True)

    def end(self, told: str) -> None:
        """Take the bar away and say what came of it."""
        print(f"\r\x1b[K{told}" if self._live else told, file=sys.stderr, flush=True)
