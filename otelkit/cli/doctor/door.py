"""One HTTP address the doctor asks: bounded in time and size, no redirects, and its credentials are never shown."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

import urllib3

from otelkit.settings import without_credentials

__all__ = ["Answer", "ClosedError", "Door"]

_LONGEST: Final = 10.0  # seconds for one question
_LARGEST: Final = 16 * 1024 * 1024


class ClosedError(Exception):
    """Nobody answers, or not by HTTP; ``str`` says which, without what was sent."""


class Answer(NamedTuple):
    """What was answered; ``date`` is the server's clock as it said it."""

    status: int
    text: str
    date: str | None

    def json(self) -> Any:
        """Return the content.

        Raises:
            ValueError: it is no JSON.
        """
        return json.loads(self.text)


class Door:
    """An address with what it takes to be let in.

    Args:
        address: http or https; a user and password in it are sent as basic authentication.
        token: sent as a bearer token; empty for none.
        certificate: file of the authority that signed the server's certificate; None for the system's.

    Attributes:
        shown: the address as people may see it.
        patience: seconds for the next questions, at most ten.
    """

    def __init__(self, address: str, *, token: str = "", certificate: str | None = None) -> None:
        parts = urlsplit(address)
        self.shown = without_credentials(address).rstrip("/")
        self.patience = _LONGEST
        self._headers: dict[str, str] = {"User-Agent": "otelkit-doctor"}
        host = parts.netloc.rpartition("@")[2]
        self._url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        if parts.username:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = urllib3.make_headers(basic_auth=user)["authorization"]
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._pool = urllib3.PoolManager(retries=False, ca_certs=certificate)

    def ask(self, path: str, words: Mapping[str, str] | None = None) -> Answer:
        """Get a path, with ``words`` as its query.

        Raises:
            ClosedError: nobody answers in time, TLS fails, or what answers is no HTTP.
        """
        end = time.monotonic() + min(self.patience, _LONGEST)
        url = f"{self._url}{path}" + (f"?{urlencode(words)}" if words else "")
        try:
            timeout = urllib3.Timeout(total=max(0.1, end - time.monotonic()))
            answer = self._pool.request(
                "GET", url, headers=self._headers, timeout=timeout, redirect=False, preload_content=False
            )
            try:
                body = _read(answer, end)
            finally:
                answer.close()
        except urllib3.exceptions.SSLError as error:
            raise ClosedError(f"TLS fails at {self.shown}") from error
        except urllib3.exceptions.NewConnectionError as error:
            raise ClosedError(f"nothing answers at {self.shown}") from error
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ClosedError(f"what listens at {self.shown} does not answer by HTTP in time") from error
        return Answer(answer.status, body.decode("utf-8", "replace"), answer.headers.get("Date"))


def _read(answer: urllib3.BaseHTTPResponse, end: float) -> bytes:
    """Read it all, unless it drips for longer than there is time or has no end."""
    body = bytearray()
    while piece := answer.read1(65536):
        body += piece
        if time.monotonic() > end or len(body) > _LARGEST:
            raise OSError("too slow or too long")
    return bytes(body)
