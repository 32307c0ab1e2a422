"""Ids leave the process as pseudonyms: HMAC-SHA256 with the deployment's salt.

A pseudonym is still personal data; it only says that the real id cannot be read from it. User, group and session
ids live in namespaces of their own, so that the same text gives unrelated pseudonyms.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Final

from otelkit.sdk.guard import logger
from otelkit.settings import Settings, data_directory

__all__ = ["Pseudonymiser", "load_salt"]

_HEX_CHARACTERS: Final = 32  # 128 bits: no collision among any number of users


class Pseudonymiser:
    """Turns ids into pseudonyms; the salt never leaves it."""

    def __init__(self, salt: bytes) -> None:
        def derive(namespace: str, identifier: str) -> str:
            message = f"{namespace}\0{identifier}".encode("utf-8", "surrogatepass")
            return hmac.digest(salt, message, "sha256").hex()[:_HEX_CHARACTERS]

        self._derive = lru_cache(maxsize=8192)(derive)

    def __call__(self, namespace: str, identifier: object) -> str:
        """The pseudonym (32 hex characters) of ``identifier`` in ``namespace`` (``user``, ``group`` or ``session``)."""
        return self._derive(namespace, str(identifier))


def load_salt(settings: Settings) -> bytes:
    """The setting's salt, else the installation's file (made once, mode 0600), else a random one for this process."""
    if settings.salt:
        return settings.salt.encode("utf-8", "surrogatepass")
    path = settings.salt_file or data_directory() / "salt"
    try:
        return _read_or_create(path)
    except OSError as error:
        logger.warning(
            "%s cannot be used (%s): pseudonyms will change with every start. Set OTELKIT_SALT or OTELKIT_SALT_FILE.",
            path,
            error.strerror,
        )
        return secrets.token_bytes(32)


def _read_or_create(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        # Written whole under another name, then linked: of several processes that start together one wins, all agree.
        draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
    salt = path.read_text().strip()
    if len(salt) < 16:
        raise OSError(0, "it holds no salt")
    return salt.encode()
