"""``otelkit provision``: write the Collector's configuration, rules, dashboards and compose files, or compare them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from otelkit.errors import MissingExtraError

__all__ = ["add_parser"]

_EPILOG: Final = """examples:
  otelkit provision                      write collector/ in this folder
  otelkit provision --output deploy/     write it elsewhere
  otelkit provision --check              exit status 1 where a file is not what this version of otelkit gives
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "provision",
        help="write the Collector's configuration, alert rules, dashboards and compose files",
        description="Write what runs beside a service: Collector, Prometheus, Loki, Alertmanager, Grafana, compose.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--output", type=Path, default=Path("collector"), metavar="DIR", help="the folder (default: collector)"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    try:
        from otelkit.provision import tree
    except ImportError as error:
        raise MissingExtraError("otelkit provision", "provision") from error
    stale = tree.differences(args.output) if args.check else tree.write(args.output)
    for path in stale:
        print(f"{'differs' if args.check else 'written'}: {args.output / path}")
    if args.check:
        return 1 if stale else 0
    print(f"{len(tree.files())} files in {args.output}, {len(stale)} of them new or changed")
    return 0
