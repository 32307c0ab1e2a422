"""The one guard between telemetry and the application: what goes wrong in otelkit stays in otelkit.

Swallowed errors are counted and logged at most once a minute. In otelkit's own tests ``strict`` is on and they raise.
"""

from __future__ import annotations

import logging
import time
from types import TracebackType
from typing import Final

__all__ = ["Guard", "guard", "log_sparsely", "logger", "safe_text"]

logger: Final = logging.getLogger("otelkit")
"""otelkit's own log lines; they are never exported as telemetry, so nothing can loop."""

_EVERY_SECONDS: Final = 60.0
_MOST_TOPICS: Final = 256
_last_said: dict[str, float] = {}  # no lock: a signal handler may come in between, and twice said is no harm


def log_sparsely(topic: str, message: str, *args: object, level: int = logging.WARNING) -> bool:
    """Log ``message`` unless the same ``topic`` was logged in the last minute; True when it was."""
    now = time.monotonic()
    if now - _last_said.get(topic, -_EVERY_SECONDS) < _EVERY_SECONDS:
        return False
    if len(_last_said) >= _MOST_TOPICS:
        _last_said.clear()
    _last_said[topic] = now
    logger.log(level, message, *args)
    return True


def safe_text(value: object) -> str:
    """``str(value)``, or ``<Type>`` where that raises: an application's object must not take its record along."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - whatever the application's __str__ raises
        return f"<{type(value).__name__}>"


class Guard:
    """A context manager that swallows ``Exception`` (never ``BaseException``), counts it and logs it sparsely."""

    strict = False  # True in otelkit's own tests: swallowed errors fail them

    def __init__(self) -> None:
        self.swallowed = 0

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or not isinstance(error, Exception):
            return False
        if self.strict:
            return False
        self.swallowed += 1
        # The type and place only: the message may hold what the application was working on.
        place = trace.tb_frame.f_code.co_qualname if trace is not None else "?"
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
            place = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
        log_sparsely(f"guard {place}", "internal error swallowed: %s in %s", type(error).__name__, place)
        return True


guard: Final = Guard()
