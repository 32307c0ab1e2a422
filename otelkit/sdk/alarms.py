"""Security events: what :func:`otelkit.security_event` is told, and bursts of refused requests that are seen here."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from opentelemetry import _logs
from opentelemetry._logs import SeverityNumber

from otelkit.mapping.metrics import Measurement
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.sdk.context import current_request, current_session
from otelkit.sdk.events import Events
from otelkit.sdk.guard import log_sparsely
from otelkit.sdk.instruments import Instruments
from otelkit.sdk.kept import kept, pseudonym_of
from otelkit.sdk.steps import State
from otelkit.semconv.attributes import Core, Event, Security
from otelkit.semconv.metrics import SecurityMetrics
from otelkit.semconv.security import KINDS, OUTCOMES, RESPONSES_REFUSED, SecurityDef

__all__ = ["Refusals", "begin", "record"]

_SCOPE: Final = "otelkit.security"
_MINUTE: Final = 60.0
_MOST_CLIENTS: Final = 10_000
_MOST_ROUTES: Final = 10


class _Process:
    pseudonym: Pseudonymiser | None = None
    instruments: Instruments | None = None


def begin(pseudonym: Pseudonymiser, instruments: Instruments) -> None:
    """Record from now on, counted by ``instruments``."""
    _Process.pseudonym, _Process.instruments = pseudonym, instruments


def record(kind: str, user: str | None, outcome: str | None, reason: str | None, details: Mapping[str, Any]) -> bool:
    """What :func:`otelkit.security_event` does."""
    pseudonym = _Process.pseudonym
    if pseudonym is None or not State.enabled:
        return False
    definition = KINDS.get(kind) if isinstance(kind, str) else None
    if definition is None or definition is RESPONSES_REFUSED:
        Events.withheld["_OTHER", "unknown_event"] += 1
        known = ", ".join(name for name in KINDS if name != RESPONSES_REFUSED.kind)
        log_sparsely("security event", "security event %.80r is not recorded; known are %s", kind, known)
        return False
    if outcome is not None and outcome not in OUTCOMES:
        log_sparsely("security outcome", "an outcome is %s; taken as unknown", ", ".join(OUTCOMES))
        outcome = "unknown"
    attributes: dict[str, Any] = {}
    about = pseudonym_of(str(user), "user", pseudonym) if user is not None else current_session().user
    if about:
        attributes[Security.USER] = about
    if reason is not None:
        attributes[Event.REASON] = kept({"reason": reason}, pseudonym)["reason"]
    told = kept(details, pseudonym).items()
    attributes |= {f"{Security.DETAIL}.{name}": value for name, value in told if value is not None}
    _emit(definition, outcome or definition.outcome, attributes)
    return True


def _emit(definition: SecurityDef, outcome: str, attributes: dict[str, Any]) -> None:
    words = {
        Core.LOG_RECORD_UID: str(uuid.uuid4()),
        Event.CATEGORY: definition.category,
        Event.TYPE: definition.type,
        Event.OUTCOME: outcome,
        Event.ACTION: definition.action,
    }
    if request := current_request():
        method, route = request
        words |= {Core.HTTP_METHOD: method, **({Core.HTTP_ROUTE: route} if route else {})}
    severity = SeverityNumber.WARN if outcome == "failure" else SeverityNumber.INFO
    now = time.time_ns()
    _logs.get_logger(_SCOPE).emit(
        timestamp=now,
        observed_timestamp=now,
        severity_number=severity,
        severity_text=severity.name,
        attributes={**attributes, **words},
        event_name=definition.event_name,
    )
    if _Process.instruments is not None:
        labels = {Security.KIND: definition.kind, Event.OUTCOME: outcome}
        _Process.instruments.record(Measurement(SecurityMetrics.EVENTS, 1, labels))


class _Refused(NamedTuple):
    time: float
    status: int
    route: str


class _Client:
    """What one client was refused lately."""

    __slots__ = ("last", "since", "told")

    def __init__(self, burst: int) -> None:
        self.last: deque[_Refused] = deque(maxlen=burst)
        self.since: Counter[int] = Counter()  # by status, since it was told of
        self.told = float("-inf")


class Refusals:
    """Tells of clients that are refused again and again: at once when it is a burst, then at most once a minute.

    Bounded in memory: of very many clients the ones that were refused the longest ago are forgotten.

    Args:
        pseudonym: makes the clients' pseudonyms; addresses are neither kept nor told.
        burst: how many refusals within a minute are told of; 0 tells of none.
        clock: seconds that only grow.
    """

    def __init__(self, pseudonym: Pseudonymiser, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pseudonym = pseudonym
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    def saw(self, scope: Mapping[str, Any], status: int) -> None:
        """Take note of an answer; of clients without an address (a Unix socket) nothing is known."""
        address = (scope.get("client") or ("",))[0]
        if not self._burst or not address or not State.enabled:
            return
        client = self._pseudonym("client", address)
        route = str(getattr(scope.get("route"), "path", ""))
        with self._lock:
            found = self._told(client, _Refused(self._clock(), status, route))
        if found is None:
            return
        statuses, routes = found
        counts = {f"{Security.STATUSES}.{code}": count for code, count in sorted(statuses.items())}
        attributes: dict[str, Any] = {Security.CLIENT: client, Security.ROUTES: routes, **counts}
        _emit(RESPONSES_REFUSED, RESPONSES_REFUSED.outcome, attributes)

    def _told(self, name: str, refused: _Refused) -> tuple[Mapping[int, int], list[str]] | None:
        """Return what is to be told of a client now: counts by status and the routes; None where nothing is."""
        client = self._clients.setdefault(name, _Client(self._burst))
        self._clients.move_to_end(name)
        if len(self._clients) > _MOST_CLIENTS:
            self._clients.popitem(last=False)
        client.last.append(refused)
        client.since[refused.status] += 1
        now, last = refused.time, client.last
        if len(last) < self._burst or last[0].time <= now - _MINUTE or client.told > now - _MINUTE:
            return None
        # While it goes on, all since the last telling; what was long before this burst is no part of it.
        goes_on = client.told > now - 2 * _MINUTE
        statuses = client.since if goes_on else Counter(one.status for one in last)
        client.since, client.told = Counter(), now
        return statuses, sorted({one.route for one in last if one.route})[:_MOST_ROUTES]
