"""``otelkit settings``: every option with its variables, meaning and present value."""

from __future__ import annotations

import argparse
from itertools import groupby
from typing import Any, Final

from otelkit.settings import OPTIONS, Option, Settings, load, without_credentials
from otelkit.settings.budgets import budgets

__all__ = ["add_parser", "as_variable", "env_example", "run"]

_EPILOG: Final = """examples:
  otelkit settings                 what is set and what it means
  otelkit settings --env           a template: otelkit settings --env > .env
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "settings",
        help="list every option, its variable and its value",
        description="List every option with the environment variables that set it. Secrets are not shown.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--env", action="store_true", help="print env.example, all options commented out")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the list."""
    if args.env:
        print(env_example(), end="")
        return 0
    settings = load()
    for group, options in groupby(OPTIONS.items(), key=lambda item: item[1].group):
        print(f"\n{group}")
        for name, option in options:
            value = getattr(settings, name)
            text = without_credentials(as_variable(option, value))
            shown = ("set" if value else "not set") if option.secret else text
            print(f"  {option.variables[0]} = {shown}\n      {option.meaning}")
            if option.variables[1:]:
                print(f"      also: {', '.join(option.variables[1:])}")
    return 0


def env_example() -> str:
    """``env.example``: every variable with its meaning and default, commented out."""
    defaults = Settings()
    lines = ["# Every option of otelkit. Made by `otelkit settings --env`; unset means the default shown.", ""]
    for group, options in groupby(OPTIONS.items(), key=lambda item: item[1].group):
        lines += [f"# --- {group} ---", ""]
        for name, option in options:
            lines += _example(option, getattr(defaults, name))
    return "\n".join(lines)


def _example(option: Option, default: Any) -> list[str]:
    aliases = f" Also: {', '.join(option.variables[1:])}." if option.variables[1:] else ""
    return [f"# {option.meaning}{aliases}", f"# {option.variables[0]}={as_variable(option, default)}", ""]


def as_variable(option: Option, value: Any) -> str:
    """A field's value as its variable would be written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value / option.scale:.12g}"
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, tuple):
        return ("; " if option.parse is budgets else ",").join(str(item) for item in value)
    return "" if value is None else str(value)
