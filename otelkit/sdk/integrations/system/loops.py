"""How late an event loop is: a call is due twice a second, and it comes as late as everything else."""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections.abc import Callable
from typing import ClassVar, Final

from otelkit.mapping.metrics import Measurement
from otelkit.sdk.guard import guard
from otelkit.sdk.instruments import Instruments
from otelkit.semconv.metrics import ProcessMetrics

__all__ = ["Loops"]

_EVERY: Final = 0.5


class Loops:
    """The event loops of this process that serve requests."""

    _watched: ClassVar[weakref.WeakSet[asyncio.AbstractEventLoop]] = weakref.WeakSet()
    _instruments: ClassVar[Instruments | None] = None

    @classmethod
    def report_to(cls, instruments: Instruments | None) -> None:
        """Report to these instruments from now on; None stops it."""
        cls._instruments = instruments

    @classmethod
    def watch(cls) -> None:
        """Watch the running loop; a second time does nothing."""
        loop = asyncio.get_running_loop()
        if loop in cls._watched or cls._instruments is None:
            return
        cls._watched.add(loop)
        _call_later(loop)

    @classmethod
    def late(cls, seconds: float) -> bool:
        """A loop was so late; False where nobody wants to know any more."""
        if cls._instruments is None:
            return False
        cls._instruments.record(Measurement(ProcessMetrics.LOOP_LAG, max(0.0, seconds), {}))
        return True


def _call_later(loop: asyncio.AbstractEventLoop) -> None:
    due = loop.time() + _EVERY
    # Not a task, which a loop that ends would complain about; nor in the context of the request that came first.
    loop.call_at(due, _called(loop, due), context=contextvars.Context())


def _called(loop: asyncio.AbstractEventLoop, due: float) -> Callable[[], None]:
    def call() -> None:
        with guard:
            if Loops.late(loop.time() - due):
                _call_later(loop)

    return call
