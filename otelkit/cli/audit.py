"""``otelkit audit``: who did what, whether the trail is whole, and all of it as a file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from otelkit.cli.stores import moment, opened
from otelkit.errors import OtelkitError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

__all__ = ["add_parser"]

_EPILOG: Final = """examples:
  otelkit audit list                               the newest entries
  otelkit audit list --action 'project.*' --from 30d
  otelkit audit verify                             nothing changed, nothing missing; prints the newest hash
  otelkit audit verify --head 5f0c…                and this hash, noted earlier, is still part of it
  otelkit audit export audit.jsonl --from 2026-01-01

The database is --db, else OTELKIT_DATABASE_URL or OTELKIT_DATABASE, else the one in your data directory.
All of it works beside a running server.
"""
_FIELDS: Final = ("actor", "action", "target", "outcome", "service")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "audit",
        help="who did what: list, verify and export the audit trail",
        description="Who did what: list, verify and export the audit trail.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=lambda args: args.act(args))
    acts = parser.add_subparsers(dest="act_name", metavar="COMMAND", required=True)
    listed = acts.add_parser("list", help="the newest entries, one a line")
    listed.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default 50)")
    listed.add_argument("--json", action="store_true", help="JSON lines instead")
    listed.set_defaults(act=_list)
    verified = acts.add_parser("verify", help="say whether the trail is whole; the exit status is 1 where it is not")
    verified.add_argument("--head", metavar="HASH", help="a newest hash that was noted earlier")
    verified.set_defaults(act=_verify)
    exported = acts.add_parser("export", help="write entries as JSON lines, oldest first")
    exported.add_argument("out", metavar="OUT", help="a file that does not exist yet, or - for the standard output")
    exported.set_defaults(act=_export)
    for act in (listed, exported):
        for name in _FIELDS:
            act.add_argument(f"--{name}", metavar=name.upper(), help=f"only entries with this {name}")
        act.add_argument("--from", dest="start", type=moment, metavar="TIME", help="2026-01-31, or 24h for a day ago")
        act.add_argument("--to", dest="end", type=moment, metavar="TIME", help="up to and without this time")
    for act in (listed, verified, exported):
        act.add_argument("--db", metavar="PATH", help="database file or postgresql://… (default: as `otelkit serve`)")


@contextmanager
def _reading(args: argparse.Namespace) -> Iterator[Connection]:
    with opened(args, shared=True) as database, database.reading() as connection:
        yield connection


def _wanted(args: argparse.Namespace) -> ColumnElement[bool]:
    from otelkit.server.insights.audit import entries

    fields = {name: value for name in _FIELDS if (value := getattr(args, name)) is not None}
    return entries(fields, args.start, args.end)


def _list(args: argparse.Namespace) -> int:
    with _reading(args) as connection:
        from otelkit.server.insights.audit import list_entries

        found = list_entries(connection, _wanted(args), limit=max(1, args.limit), cursor=None)
    for entry in found["entries"]:
        print(json.dumps(entry) if args.json else _line(entry))
    if not args.json:
        shown = len(found["entries"])
        print(f"{shown} of {found['total']} entries" if found["total"] else "no entries", file=sys.stderr)
    return 0


def _line(entry: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(entry["time"] / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    outcome = "" if entry["outcome"] == "success" else f" ({entry['outcome']})"
    changes = _changes(entry["before"] or {}, entry["after"] or {})
    return f"{when}  {entry['actor'] or '?':<34} {entry['action']}{outcome} {entry['target'] or ''}{changes}".rstrip()


def _changes(before: dict[str, Any], after: dict[str, Any]) -> str:
    told = [f"{name}: {before.get(name, '–')} → {after.get(name, '–')}" for name in {**before, **after}]
    return "  " + ", ".join(told) if told else ""


def _verify(args: argparse.Namespace) -> int:
    with _reading(args) as connection:
        from otelkit.server.insights.audit import checked, entries, every_entry

        found = checked(connection)
        known = args.head is None or any(entry["hash"] == args.head for entry in every_entry(connection, entries({})))
    gone = f"; {found['deleted_for_age']:,} older ones were deleted for their age" if found["deleted_for_age"] else ""
    if not found["whole"]:
        print(f"NOT whole: {found['why']} ({found['entries']:,} entries before it are sound)")
        return 1
    if not known:
        print(f"NOT whole: the hash {args.head} is not part of the trail any more, or was deleted for its age")
        return 1
    print(f"whole: {found['entries']:,} entries{gone}\nnewest hash: {found['head']}")
    return 0


def _export(args: argparse.Namespace) -> int:
    target = None if args.out == "-" else Path(args.out)
    if target is not None and target.exists():
        raise OtelkitError(f"{target} exists already: choose another file")
    with _reading(args) as connection:
        from otelkit.server.insights.audit import every_entry

        try:
            out = sys.stdout if target is None else target.open("x", encoding="utf-8")
            count = 0
            for entry in every_entry(connection, _wanted(args)):
                out.write(json.dumps(entry, separators=(",", ":")) + "\n")
                count += 1
            if target is not None:
                out.close()
        except OSError as error:
            raise OtelkitError(f"{args.out} cannot be written: {error.strerror}") from error
    print(f"{count:,} entries written", file=sys.stderr)
    return 0
