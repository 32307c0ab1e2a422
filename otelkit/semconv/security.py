"""Every kind of security event, once, by the words of the Elastic Common Schema (ECS).

A security event is an OpenTelemetry log record whose ``event_name`` is ``security.`` and the kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["KINDS", "OUTCOMES", "RESPONSES_REFUSED", "SecurityDef"]

OUTCOMES: Final = ("success", "failure", "unknown")
"""ECS: of ``event.outcome``."""


@dataclass(frozen=True, slots=True)
class SecurityDef:
    """One kind: ECS's category and type, what was attempted, and its outcome where the caller says no other."""

    kind: str
    meaning: str
    category: str
    type: str
    action: str
    outcome: str = "failure"

    @property
    def event_name(self) -> str:
        """The log record's."""
        return f"security.{self.kind}"


RESPONSES_REFUSED: Final = SecurityDef(
    "responses.refused",
    "One client was refused (401, 403, 429) as often in a minute as OTELKIT_SECURITY_BURST says; made by otelkit.",
    *("api", "denied", "request"),
)

_ALL: Final = (
    SecurityDef("authentication.failed", "A log-in failed.", "authentication", "start", "log-in"),
    SecurityDef("authentication.succeeded", "A log-in succeeded.", "authentication", "start", "log-in", "success"),
    SecurityDef("permission.denied", "Somebody asked for what they may not have.", "api", "denied", "access"),
    SecurityDef(
        "token.misused",
        "A token was used that is over, revoked, forged or somebody else's.",
        *("authentication", "info", "token-use"),
    ),
    SecurityDef("rate_limit.exceeded", "A limit of requests was exceeded.", "api", "denied", "request"),
    SecurityDef(
        "export.unusual",
        "Somebody took out more than people usually do, or at an unusual time.",
        *("api", "access", "export", "success"),
    ),
    RESPONSES_REFUSED,
)

KINDS: Final = {entry.kind: entry for entry in _ALL}
"""All kinds in reading order."""
