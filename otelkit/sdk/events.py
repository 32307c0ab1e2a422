"""``track``: product events, which are OpenTelemetry log records with an ``event_name``.

Default deny: without the user's consent to the event's category the event is not created.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from opentelemetry import _logs
from opentelemetry._logs import SeverityNumber

from otelkit.sdk.context import SessionInfo, current_session
from otelkit.sdk.guard import guard, log_sparsely
from otelkit.sdk.steps import State
from otelkit.semconv.attributes import Core, Otelkit
from otelkit.semconv.events import CATALOGUE, Consent, EventDef, Property, Treatment

__all__ = ["Events", "define_event", "track"]

_SCOPE: Final = "otelkit.events"
_DEFINED: Final[dict[str, EventDef]] = {event.name: event for event in CATALOGUE}


class Events:
    """What became of events in this process; read by the self-metrics."""

    policy_version = "1"
    withheld: ClassVar[Counter[tuple[str, str]]] = Counter()  # (event, reason) → count


def define_event(
    name: str,
    meaning: str,
    properties: Mapping[str, type] = MappingProxyType({}),
    *,
    consent: str = Consent.USAGE.value,
) -> None:
    """Add an event of your own to the catalogue: ``define_event("timer.started", "A timer began.", {"kind": str})``.

    Args:
        name: ``resource.action``.
        meaning: one sentence for the people who read the reports.
        properties: property name → Python type.
        consent: the category a user must have granted.

    Raises:
        ValueError: the name is not of that form, or the category is not known.
    """
    if not all(part.isidentifier() for part in name.split(".")) or "." not in name:
        raise ValueError(f"an event is named resource.action, such as chat.message_sent, not {name!r}")
    listed = tuple(Property(key, kind, "") for key, kind in properties.items())
    _DEFINED[name] = EventDef(name, meaning, listed, Consent(consent))


def track(event: str, /, **properties: Any) -> bool:
    """Record a product event of the catalogue; True when it was created.

    It is withheld, and counted as such, when the current session's user has not consented to the event's category, when
    the event is not in the catalogue (see :func:`define_event`), or when a property is unknown or of another type. It
    never raises into the application. Content properties (a comment, a query) are replaced by their length.
    """
    with guard:
        session = current_session()
        reason = _refusal(event, properties, session)
        if not State.enabled:
            return False
        if reason:
            known = event if event in _DEFINED else "_OTHER"  # names may be made of data
            Events.withheld[known, reason.partition(":")[0]] += 1
            if reason != "no_consent":
                log_sparsely(f"event {known}", "event %.80r withheld: %s", event, reason)
            return False
        _emit(_DEFINED[event], properties, session)
        return True
    return False


def _refusal(event: str, properties: Mapping[str, Any], session: SessionInfo) -> str:
    """Why the event must not be created; empty when it may."""
    definition = _DEFINED.get(event)
    if definition is None:
        return "unknown_event: it is not in the catalogue; add it with otelkit.define_event"
    types = {item.name: item.type for item in definition.properties}
    for name, value in properties.items():
        if name not in types:
            return f"unknown_property: {name}; it has {', '.join(types) or 'none'}"
        if value is not None and not _fits(value, types[name]):
            return f"wrong_type: {name} must be {types[name].__name__}, not {type(value).__name__}"
    return "" if definition.consent in session.consent else "no_consent"


def _fits(value: object, wanted: type) -> bool:
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, (int, float) if wanted is float else wanted)


def _emit(definition: EventDef, properties: Mapping[str, Any], session: SessionInfo) -> None:
    attributes: dict[str, Any] = dict(session.attributes)
    if session.user:
        attributes[Core.USER_ID] = session.user
    for item in definition.properties:
        value = properties.get(item.name)
        if value is None:
            continue
        if item.treatment is Treatment.LENGTH:
            attributes[f"{item.name}_length"] = len(value)
        else:
            attributes[item.name] = value
    attributes[Core.LOG_RECORD_UID] = str(uuid.uuid4())
    attributes[Otelkit.CONSENT_CATEGORIES] = sorted(session.consent)
    attributes[Otelkit.CONSENT_POLICY_VERSION] = Events.policy_version
    now = time.time_ns()
    _logs.get_logger(_SCOPE).emit(
        timestamp=now,
        observed_timestamp=now,
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        attributes=attributes,
        event_name=definition.name,
    )
