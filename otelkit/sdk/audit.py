"""``audit``: the thin door; :mod:`otelkit.sdk.trail` writes, and is there once telemetry has started."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal

from otelkit.errors import AuditError

__all__ = ["audit"]

_TRAIL: Final = "otelkit.sdk.trail"
_ACTION: Final = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)+").fullmatch
_LONGEST_ACTION: Final = 100
_OUTCOMES: Final = ("success", "failure", "denied")


def audit(
    action: str,
    /,
    *,
    actor: str | None = None,
    target: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    outcome: Literal["success", "failure", "denied"] = "success",
    **details: Any,
) -> str:
    """Record what somebody did, append-only; it is stored when this returns.

    ``audit("project.deleted", actor="u-17", target="project:42", before={"name": "Atlas", "members": 3})``

    It waits for the server (milliseconds when it is near): in a coroutine write
    ``await asyncio.to_thread(otelkit.audit, "project.deleted", …)``, which takes the context along. Trace, request,
    session and service are added by themselves.

    Args:
        action: what was done, as ``resource.action``.
        actor: id of the user who did it, recorded as pseudonym; default the session's user, else ``"system"``.
        target: what it was done to, as ``kind:id``; ids of people and groups (``user:…``, ``member:…``, ``team:…``)
            become pseudonyms, ids that no program writes fingerprints.
        before: what was so, by name. Numbers, flags, and words under names that mean a choice (``role``, ``plan``,
            ``status`` …) are kept; of all else a fingerprint is, which shows whether it changed and not what it was.
        after: what is so now, as ``before``.
        outcome: ``success``, ``failure`` or ``denied``.
        details: anything else that belongs to it, as ``before``.

    Returns:
        The record's id.

    Raises:
        ValueError: ``action`` or ``outcome`` has another form.
        AuditError: it is not written: no :func:`otelkit.init`, telemetry switched off, or no server that takes it.
    """
    if not isinstance(action, str) or len(action) > _LONGEST_ACTION or not _ACTION(action):
        raise ValueError(f"an action is written resource.action, such as project.deleted, not {action!r:.120}")
    if outcome not in _OUTCOMES:
        raise ValueError(f"an outcome is success, failure or denied, not {outcome!r:.120}")
    if _TRAIL not in sys.modules:
        raise AuditError("no audit record can be written before otelkit.init")
    return str(sys.modules[_TRAIL].write(action, actor, target, before, after, outcome, details))
