"""``init``, ``flush``, ``shutdown``: the public doors.

What they start (:mod:`otelkit.sdk.bootstrap`) costs 0.2 s of CPU to import, so it is imported when telemetry starts and
not when a library that merely uses a decorator is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

__all__ = ["absorb", "flush", "hand_over", "init", "shutdown"]

_BOOTSTRAP: Final = "otelkit.sdk.bootstrap"


def init(
    app: object = None,
    *,
    service: str | None = None,
    environment: str | None = None,
    version: str | None = None,
    endpoint: str | None = None,
    protocol: str | None = None,
    headers: dict[str, str] | None = None,
    capture_content: bool | None = None,
    prometheus: bool | None = None,
    console_logs: bool | None = None,
    log_file: str | Path | None = None,
    session: Callable[[dict[str, Any]], Any] | None = None,
    instrument: bool = True,
    **options: Any,
) -> None:
    """Start telemetry in this process; with ``app`` (FastAPI) its requests too.

    Traces, metrics and logs go through OpenTelemetry providers and out over OTLP; a backend that is down never blocks,
    slows or breaks the service. Providers that exist already are kept and get otelkit's processors. Call it as often as
    you like: a second call only attaches its ``app``.

    Args:
        app: FastAPI application; without one, applications made later are found by themselves.
        service: ``service.name``. As with every option, the argument wins over the environment
            (``otelkit settings`` lists all variables).
        environment: ``deployment.environment.name``.
        version: ``service.version``.
        endpoint: address of a Collector or ``otelkit serve``; default http://127.0.0.1:4318.
        protocol: ``http/protobuf`` or ``grpc``.
        headers: headers of every export.
        capture_content: export prompts, answers, tool arguments and results.
        prometheus: add ``GET /metrics`` to the app (one worker only).
        console_logs: JSON lines on standard output.
        log_file: JSON lines in this file, rotated.
        session: called with the ASGI scope of each request; returns keyword arguments of :func:`otelkit.session`
            (``user_id``, ``group_id``, ``conversation_id``, ``session_id``, ``consent``) as a dict, or None.
        instrument: switch on installed OpenTelemetry instrumentations (LLM clients, httpx, SQLAlchemy …).
        options: any other field of :class:`otelkit.settings.Settings`.

    Raises:
        SettingsError: a setting is wrong; the message says which and what is allowed.
        MissingExtraError: a setting needs a package that is not installed.
    """
    from otelkit.sdk import bootstrap

    bootstrap.start(
        app,
        session,
        instrument,
        service=service,
        environment=environment,
        version=version,
        endpoint=endpoint,
        protocol=protocol,
        headers=headers,
        capture_content=capture_content,
        prometheus=prometheus,
        console_logs=console_logs,
        log_file=log_file,
        **options,
    )


def flush(timeout: float = 5.0) -> bool:
    """Deliver everything finished so far, within ``timeout`` seconds; True when all of it was acknowledged."""
    return bool(sys.modules[_BOOTSTRAP].flush(timeout)) if _BOOTSTRAP in sys.modules else True


def shutdown(timeout: float | None = None) -> bool:
    """Flush and stop, within ``timeout`` seconds (default: the setting); True when everything was acknowledged.

    Runs by itself at exit. After it, decorators and ``track`` do nothing.
    """
    return bool(sys.modules[_BOOTSTRAP].shutdown(timeout)) if _BOOTSTRAP in sys.modules else True


def hand_over(timeout: float) -> tuple[bytes, bool]:
    """End the telemetry of a child that lives for one job only.

    Returns what it measured, for :func:`absorb` in its parent, and whether all else was delivered.
    """
    if _BOOTSTRAP not in sys.modules:
        return b"", True
    left, delivered = sys.modules[_BOOTSTRAP].hand_over(timeout)
    return bytes(left), bool(delivered)


def absorb(left: bytes) -> None:
    """Report from now on what a child handed over."""
    if _BOOTSTRAP in sys.modules:
        sys.modules[_BOOTSTRAP].absorb(left)
