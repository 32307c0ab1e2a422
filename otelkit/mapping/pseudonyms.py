"""Pseudonyms of ids: HMAC-SHA256 with the deployment's salt.

A pseudonym is still personal data; it only says that the real id cannot be read from it. User, group and session
ids live in namespaces of their own, so that the same text gives unrelated pseudonyms.
"""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import Final

__all__ = ["Pseudonymiser"]

_ID_CHARACTERS: Final = 24  # 96 bits in hex: no collision among any number of users
_SEAL_CHARACTERS: Final = 8  # tells our pseudonyms from ids that look alike


class Pseudonymiser:
    """Turns ids into pseudonyms; the salt never leaves it."""

    def __init__(self, salt: bytes) -> None:
        def derive(namespace: str, identifier: str) -> str:
            body = digest(f"{namespace}\0{identifier}")[:_ID_CHARACTERS]
            return body + digest(body)[:_SEAL_CHARACTERS]

        def digest(text: str) -> str:
            return hmac.digest(salt, text.encode("utf-8", "surrogatepass"), "sha256").hex()

        self._digest = digest
        self._derive = lru_cache(maxsize=8192)(derive)
        self._is_ours = lru_cache(maxsize=8192)(self._sealed)

    def __call__(self, namespace: str, identifier: object) -> str:
        """The pseudonym (32 hex characters) of ``identifier`` in ``namespace`` (``user``, ``group`` or ``session``)."""
        return self._derive(namespace, str(identifier))

    def made(self, text: str) -> bool:
        """Whether ``text`` is a pseudonym made with this salt, in any process."""
        return self._is_ours(text)

    def _sealed(self, text: str) -> bool:
        body = text[:_ID_CHARACTERS]
        return (
            len(text) == _ID_CHARACTERS + _SEAL_CHARACTERS
            and text[_ID_CHARACTERS:] == self._digest(body)[:_SEAL_CHARACTERS]
        )
