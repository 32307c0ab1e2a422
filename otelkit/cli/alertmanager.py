"""Alertmanager's API, version 2: alerts and silences, and one clear error where it does not answer as it should."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode, urlsplit

import urllib3

from otelkit.errors import OtelkitError
from otelkit.settings import without_credentials

__all__ = ["Alertmanager"]

_PATIENCE: Final = 10.0  # seconds
_LONGEST: Final = 300  # characters of an answer that are shown


class Alertmanager:
    """One Alertmanager; every method raises :class:`OtelkitError` where it cannot do what it says."""

    def __init__(self, address: str, token: str = "") -> None:
        parts = urlsplit(address)
        self.address = without_credentials(address)
        self._base = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
        self._headers = _authorization(unquote(parts.username or ""), unquote(parts.password or ""), token)
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1, retries=False)

    def alerts(self, *conditions: str) -> list[dict[str, Any]]:
        """Return the alerts that fire now, muted and explained ones among them; ``category="llm"`` is a condition."""
        wanted = urlencode([("filter", condition) for condition in conditions])
        return self._listed(f"/alerts?{wanted}" if wanted else "/alerts")

    def silences(self) -> list[dict[str, Any]]:
        """Return all silences it remembers, ended ones among them."""
        return self._listed("/silences")

    def mute(
        self, matchers: Sequence[Mapping[str, Any]], begins: datetime, ends: datetime, *, author: str, reason: str
    ) -> str:
        """Make a silence and return its id."""
        times = {"startsAt": begins.isoformat(), "endsAt": ends.isoformat()}
        body = {"matchers": list(matchers), **times, "createdBy": author, "comment": reason}
        made = self._ask("POST", "/silences", body)
        if not isinstance(made, dict) or not isinstance(made.get("silenceID"), str):
            raise self._stranger()
        return str(made["silenceID"])

    def unmute(self, silence: str) -> None:
        """End a silence."""
        self._ask("DELETE", f"/silence/{quote(silence, safe='')}")

    def _listed(self, path: str) -> list[dict[str, Any]]:
        found = self._ask("GET", path)
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise self._stranger()
        return found

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        content = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._pool.request(
                method,
                f"{self._base}/api/v2{path}",
                body=None if body is None else json.dumps(body),
                headers={**self._headers, **content},
                timeout=urllib3.Timeout(total=_PATIENCE),
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise OtelkitError(
                f"no Alertmanager answers at {self.address} ({_why(error)}): is it running? "
                "--alertmanager or OTELKIT_ALERTMANAGER_URL names another address"
            ) from None
        return self._read(answer.status, answer.data)

    def _read(self, status: int, content: bytes) -> Any:
        if status in {401, 403}:
            raise OtelkitError(
                f"{self.address} refuses (HTTP {status}): set OTELKIT_ALERTMANAGER_TOKEN, or write user:password@ into "
                "OTELKIT_ALERTMANAGER_URL"
            )
        try:
            said = json.loads(content) if content else None
        except ValueError:
            raise self._stranger() from None
        if status == 404 and isinstance(said, dict | None):
            raise OtelkitError(f"Alertmanager at {self.address} knows no such thing; `otelkit alerts muted` lists ids")
        if status >= 300:
            raise OtelkitError(f"Alertmanager at {self.address} says (HTTP {status}): {_shown(said)}")
        return said

    def _stranger(self) -> OtelkitError:
        return OtelkitError(f"what answers at {self.address} is no Alertmanager (its API, version 2, is not there)")


def _authorization(user: str, password: str, token: str) -> dict[str, str]:
    if token:
        return {"Authorization": f"Bearer {token}"}
    return urllib3.make_headers(basic_auth=f"{user}:{password}") if user or password else {}


def _why(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "connection refused or host unknown"
    return "timed out" if isinstance(error, urllib3.exceptions.TimeoutError) else type(error).__name__


def _shown(said: object) -> str:
    text = said if isinstance(said, str) else said.get("message", "") if isinstance(said, dict) else ""
    return " ".join(str(text).split())[:_LONGEST] or "nothing more"
