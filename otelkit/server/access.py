"""Who may do what: tokens, the sessions that browsers get for them, and how often somebody may try.

Without tokens everybody may do everything, which is why a server without tokens listens on this machine only.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, Literal, cast

from otelkit.errors import SettingsError
from otelkit.server.permissions import PERMISSIONS, Permission

__all__ = ["COOKIE", "SESSION_SECONDS", "Access", "Allowance", "Role", "bearer_token"]

Role = Literal["admin", "read", "ingest"]
_MAY: Final[Mapping[Role, frozenset[Permission]]] = {
    "admin": frozenset(PERMISSIONS),
    "read": frozenset({"open", "read"}),
    "ingest": frozenset({"open", "ingest"}),
}
_EVERYTHING: Final = frozenset(PERMISSIONS)
_NOTHING: Final[frozenset[Permission]] = frozenset({"open"})
_SHORTEST: Final = 16
COOKIE: Final = "otelkit_session"
SESSION_SECONDS: Final = 7 * 86_400


class Access:
    """Says what the holder of a token or session may do.

    Args:
        tokens: by role; what is missing or empty does not exist. ``admin`` may do everything, ``read`` look,
            ``ingest`` send.

    Raises:
        SettingsError: a token is too short to be one.
    """

    def __init__(self, tokens: Mapping[Role, str | None] | None = None) -> None:
        known = {role: token for role, token in (tokens or {}).items() if token}
        if any(len(token) < _SHORTEST for token in known.values()):
            raise SettingsError(f"a token needs at least {_SHORTEST} characters; `openssl rand -hex 32` makes one")
        # Compared by digest: equal lengths, and nothing to be read from memory by accident.
        self._digests = {role: _digest(token) for role, token in known.items()}
        self._key = _digest("session\0" + "\0".join(f"{role}\0{token}" for role, token in sorted(known.items())))

    @property
    def required(self) -> bool:
        """Whether anybody must show anything at all."""
        return bool(self._digests)

    def of_nobody(self) -> frozenset[Permission]:
        """Return what may be done by who shows nothing."""
        return _NOTHING if self.required else _EVERYTHING

    def of_token(self, token: str) -> frozenset[Permission] | None:
        """Return what the holder of a token may do, None where there is no such token."""
        role = self._role(token)
        return None if role is None else _MAY[role]

    def open_session(self, token: str) -> str | None:
        """Return the value of a session's cookie for a token, None where there is no such token."""
        role = self._role(token)
        if role is None:
            return None
        content = f"{role}.{int(time.time()) + SESSION_SECONDS}.{secrets.token_hex(8)}"
        return f"{content}.{self._signature(content)}"

    def of_session(self, cookie: str) -> frozenset[Permission] | None:
        """Return what the holder of a session may do, None where it is not one of ours or over."""
        content, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(content).encode()):
            return None
        role, until, _ = content.split(".")  # ours, as the signature says
        return _MAY[cast(Role, role)] if int(until) > time.time() else None

    def _role(self, token: str) -> Role | None:
        digest = _digest(token)
        # All are compared, so that the time taken tells nothing.
        found = [role for role, known in self._digests.items() if hmac.compare_digest(digest, known)]
        return found[0] if found else None

    def _signature(self, content: str) -> str:
        return hmac.new(self._key, content.encode(), hashlib.sha256).hexdigest()


def bearer_token(authorization: str) -> str | None:
    """Return the token that an ``Authorization`` header (or gRPC's metadata) shows, None where it shows none."""
    kind, _, token = authorization.partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


class Allowance:
    """How often each address may do something: ``burst`` at once, then ``rate`` a second.

    Bounded in memory: of very many addresses the ones that have been quiet the longest are forgotten.
    """

    _MOST: Final = 10_000

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> bool:
        """Use one up; False where none is left."""
        now = self._clock()
        left, since = self._left.get(address, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        taken = left >= 1
        self._left[address] = (left - taken, now)
        self._left.move_to_end(address)
        if len(self._left) > self._MOST:
            self._left.popitem(last=False)
        return taken
