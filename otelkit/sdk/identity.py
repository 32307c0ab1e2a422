"""Ids leave the process as pseudonyms: what is on spans and logs anyway, and the salt they are made with."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.model import Attributes, AttributeValue
from otelkit.sdk.guard import logger
from otelkit.semconv.attributes import Core, Otelkit
from otelkit.settings import Settings, data_directory

__all__ = ["ID_KEYS", "IdentityGuard", "load_salt"]

ID_KEYS: Final = {
    Core.USER_ID: "user",
    "user_id": "user",  # of log records' extra fields
    "enduser.id": "user",
    "user.email": "user",
    "user.name": "user",
    "user.full_name": "user",
    Core.SESSION_ID: "session",
    "session_id": "session",
    Otelkit.GROUP_ID: "group",
    "group_id": "group",
    "tenant_id": "group",
}


class IdentityGuard:
    """Ids that others put on spans and logs (an instrumentation's ``user.id``) leave as pseudonyms or not at all.

    Args:
        pseudonym: makes pseudonyms, and tells its own from raw ids.
        identify_users: ``always`` keeps users as pseudonyms; else they are dropped, because nothing says that this user
            consented: who wants them uses :func:`otelkit.session`.
    """

    def __init__(self, pseudonym: Pseudonymiser, identify_users: str) -> None:
        self._pseudonym = pseudonym
        self._keep_users = identify_users == "always"

    def __call__(self, attributes: Attributes) -> Attributes:
        """The attributes without raw ids; the same object when there are none."""
        changed: dict[str, AttributeValue] | None = None
        for key, namespace in ID_KEYS.items():
            value = attributes.get(key)
            if value in (None, "") or (isinstance(value, str) and self._pseudonym.made(value)):
                continue
            changed = dict(attributes) if changed is None else changed
            if namespace == "user" and not self._keep_users:
                del changed[key]
            else:
                changed[key] = self._pseudonym(namespace, value)
        for key, value in attributes.items():
            if isinstance(value, Mapping) and (inner := self._nested(key, value)) is not value:
                changed = dict(attributes) if changed is None else changed
                changed[key] = inner
        return attributes if changed is None else changed

    def _nested(self, key: str, value: Attributes) -> Attributes:
        """Maps inside: ``{"user": {"id": …}}`` is a user's id too."""
        if key in {"user", "enduser"} and "id" in value:
            value = {**{name: item for name, item in value.items() if name != "id"}, Core.USER_ID: value["id"]}
        return self(value)


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
    if path.stat().st_mode & 0o077:
        logger.warning("%s could be read by others; it is for its owner only now", path)
        path.chmod(0o600)
    salt = path.read_text().strip()
    if len(salt) < 16:
        raise OSError(0, "it holds no salt")
    return salt.encode()
