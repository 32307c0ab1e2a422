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
  otelkit provision --list > provision.toml                         every option as a comment: a file to begin with
  otelkit provision --set alerts.thresholds.error_share=0.02        this one otherwise, whatever the file says
  otelkit provision --config staging.toml --output deploy/staging   thresholds, channels … of a file
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
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="what you choose (default: provision.toml, if it is here)"
    )
    parser.add_argument(
        "--set", dest="words", action="append", default=[], metavar="SECTION.OPTION=VALUE",
        help="one choice; wins over the file, may be repeated",
    )  # fmt: skip
    act = parser.add_mutually_exclusive_group()
    act.add_argument("--check", action="store_true", help="write nothing; say what differs")
    act.add_argument("--list", action="store_true", help="write nothing; print every option, its meaning and default")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    try:
        from otelkit.provision import choices, example, tree
    except ImportError as error:
        raise MissingExtraError("otelkit provision", "provision") from error
    if args.list:
        print(example.example(), end="")
        return 0
    file = args.config or (choices.FILE if choices.FILE.is_file() else None)
    chosen = choices.load(file, args.words)
    stale = tree.differences(args.output, chosen) if args.check else tree.write(args.output, chosen)
    for path in stale:
        print(f"{'differs' if args.check else 'written'}: {args.output / path}")
    left = tree.leftovers(args.output, chosen)
    for path in left:
        print(f"no longer made: {args.output / path} (remove it: what reads the folder reads it too)")
    if args.check:
        return 1 if stale or left else 0
    by = f", with the choices of {file}" if file else ""
    print(f"{len(tree.files(chosen))} files in {args.output}{by}, {len(stale)} of them new or changed")
    if chosen.alertmanager.nobody:
        print(
            "no channel is chosen, so nobody is told of alerts: `otelkit provision --list` shows [alertmanager.slack] …"
        )
    return 0
