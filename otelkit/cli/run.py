"""``otelkit run -- CMD``: a service instrumented without a code change."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from otelkit import settings
from otelkit.errors import OtelkitError

__all__ = ["add_parser", "command_of", "instrumented_environment", "run"]

_EPILOG: Final = """examples:
  otelkit run -- uvicorn app:app --workers 4
  otelkit run --service shop -- gunicorn app:app -k asgi
  otelkit run -- python app.py

FastAPI applications are found by themselves; installed OpenTelemetry instrumentations are switched on.
Options come from the environment: `otelkit settings` lists them.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's options."""
    parser = subparsers.add_parser(
        "run",
        help="run a command with telemetry, without changing its code",
        description="Run a Python service with traces, metrics and logs, without changing its code.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--service", help="name of the service (OTELKIT_SERVICE)")
    parser.add_argument("--endpoint", help="where OTLP goes (OTEL_EXPORTER_OTLP_ENDPOINT)")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="-- CMD", help="the command to run")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replace this process by the command; returns only when it cannot be started."""
    command = command_of(args.words)
    environment = instrumented_environment({"OTELKIT_SERVICE": args.service, "OTELKIT_ENDPOINT": args.endpoint})
    settings.load(environment)  # a wrong setting is said here, once, before any worker starts
    sys.stdout.flush()
    os.execvpe(command[0], command, environment)  # noqa: S606 - running the user's command is the job


def command_of(words: list[str]) -> list[str]:
    """The words after ``--``.

    Raises:
        OtelkitError: there are none, or the program is not found.
    """
    command = words[1:] if words[:1] == ["--"] else words
    if not command:
        raise OtelkitError("say what to run after --, such as: otelkit run -- uvicorn app:app")
    if shutil.which(command[0]) is None:
        raise OtelkitError(f"{command[0]}: no such program; is it installed in this environment?")
    return command


def instrumented_environment(extra: dict[str, str | None]) -> dict[str, str]:
    """The environment in which every Python process starts telemetry before the application's first line."""
    environment = settings.current_environment()
    environment.update({name: value for name, value in extra.items() if value})
    import otelkit.sdk.autostart as autostart

    hook = str(Path(autostart.__file__).parent)
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path and path != hook]
    environment["PYTHONPATH"] = os.pathsep.join([hook, *paths])
    return environment
