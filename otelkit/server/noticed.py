"""A server's settings are part of its audit trail: what changed is noted when it starts with others than before."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from otelkit.server.config import ServerConfig
from otelkit.server.storage import audit, schema

__all__ = ["note_settings"]

_KEY: Final = "settings"  # in meta: the last ones


def note_settings(connection: Connection, config: ServerConfig) -> None:
    """Add an entry when the settings are not those of the last start; inside the writer's transaction."""
    meta = schema.meta
    last = connection.execute(select(meta.c.value).where(meta.c.key == _KEY)).scalar()
    before: dict[str, Any] = json.loads(last) if last is not None else {}
    after = _shown(config)
    if before == after:
        return
    changed = [name for name in after if before.get(name) != after[name]]
    audit.note(
        connection,
        "settings.changed",
        actor="operator",
        before={name: before[name] for name in changed if name in before},
        after={name: after[name] for name in changed},
    )
    connection.execute(delete(meta).where(meta.c.key == _KEY))
    connection.execute(meta.insert().values(key=_KEY, value=json.dumps(after)))


def _shown(config: ServerConfig) -> dict[str, Any]:
    """Return what decides about data and access; of tokens only which roles have one."""
    return {
        "host": config.host,
        "keep_s": config.keep,
        "audit_keep_s": config.audit_keep,
        "max_bytes": config.max_size,
        "keep_content": config.keep_content,
        "roles": sorted(role for role, token in config.tokens.items() if token),
        "tls": config.tls is not None,
        "prices": _digest(config.prices.read_bytes()) if config.prices is not None else None,
        "free_providers": list(config.free_providers),
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(b"otelkit settings" + data).hexdigest()[:12]
