"""``security_event``: the thin door; :mod:`otelkit.sdk.alarms` records, and is there once telemetry has started."""

from __future__ import annotations

import sys
from typing import Any, Final, Literal

from otelkit.sdk.guard import guard

__all__ = ["security_event"]

_ALARMS: Final = "otelkit.sdk.alarms"


def security_event(
    kind: str,
    /,
    *,
    user: str | None = None,
    outcome: Literal["success", "failure", "unknown"] | None = None,
    reason: str | None = None,
    **details: Any,
) -> bool:
    """Record something that matters to security; True when it was recorded.

    ``security_event("authentication.failed", user="u-17", reason="wrong_password", attempts=3)``

    It becomes a log record named ``security.`` and the kind, with the words of the Elastic Common Schema, and is
    counted in ``otelkit.security.events``. Trace, request, route and session are added by themselves. It needs no
    consent, and never raises into the application.

    Args:
        kind: ``authentication.failed``, ``authentication.succeeded``, ``permission.denied``, ``token.misused``,
            ``rate_limit.exceeded`` or ``export.unusual``. Another one is not recorded, counted as such, and logged.
        user: id of the user it is about, recorded as pseudonym; default the session's.
        outcome: ``success``, ``failure`` or ``unknown``, where it is not what the kind says.
        reason: why, in a word that your program writes (``wrong_password``).
        details: anything else that belongs to it, treated as :func:`otelkit.audit` treats values: numbers, flags, and
            words under names that mean a choice (``role``, ``method``) are kept, of all else a fingerprint is.
    """
    if _ALARMS not in sys.modules:
        return False
    with guard:
        return bool(sys.modules[_ALARMS].record(kind, user, outcome, reason, details))
    return False
