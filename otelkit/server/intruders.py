"""Wrong tokens leave a trace: an entry of the audit trail, and never so many that a stranger could fill the disk."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection

from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.server.access import Allowance
from otelkit.server.pipeline import BusyError
from otelkit.server.storage import audit

__all__ = ["Intruders", "What"]

What = Literal["token.refused", "guesses.limited"]
_log: Final = logging.getLogger(__name__)
_MINUTE: Final = 60.0
_MOST: Final = 10_000
_ENTRIES: Final = (1 / 60, 20.0)  # of all addresses together: 20 at once, then one a minute


@dataclass(slots=True)
class _Seen:
    told: float = float("-inf")
    wrong_tokens: int = 0


class Intruders:
    """Counts wrong tokens by address; of each address at most one entry a minute for each thing that happens.

    Addresses are kept as pseudonyms. Of very many the ones that were quiet the longest are forgotten.

    Args:
        run: queues something for the writer's transaction.
        pseudonym: makes the addresses' pseudonyms; with the services' salt they are the same as theirs.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        run: Callable[[Callable[[Connection], Any]], Future[Any]],
        pseudonym: Pseudonymiser,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._run = run
        self._pseudonym = pseudonym
        self._clock = clock
        self._entries = Allowance(*_ENTRIES, clock)
        self._seen: OrderedDict[tuple[str, What], _Seen] = OrderedDict()
        self._untold = 0

    def saw(self, address: str, what: What) -> None:
        """Take note of a wrong token; called by the event loop, it waits for nothing."""
        client = self._pseudonym("client", address)
        seen = self._seen.setdefault((client, what), _Seen())
        self._seen.move_to_end((client, what))
        if len(self._seen) > _MOST:
            self._seen.popitem(last=False)
        seen.wrong_tokens += 1
        now = self._clock()
        if now - seen.told < _MINUTE:
            return
        if not self._entries.take(""):
            self._untold += 1
            return
        after = {"wrong_tokens": seen.wrong_tokens, **({"others_untold": self._untold} if self._untold else {})}
        seen.told, seen.wrong_tokens, self._untold = now, 0, 0
        self._note(client, what, after)

    def _note(self, client: str, what: What, after: dict[str, int]) -> None:
        def note(connection: Connection) -> None:
            audit.note(connection, what, actor="unknown", target=f"client:{client}", after=after, outcome="denied")

        try:
            self._run(note).add_done_callback(_failed)
        except BusyError:  # it is stopping
            _log.warning("%s by client %s is not in the audit trail", what, client)


def _failed(told: Future[Any]) -> None:
    if (error := told.exception()) is not None:
        _log.warning("a refused token is not in the audit trail: %s", error)
