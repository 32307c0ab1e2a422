"""Every error otelkit raises on purpose.

::

    OtelkitError
    ├── SettingsError          a wrong or contradictory setting; raised at start, never later
    ├── MissingExtraError      an optional package is needed and absent; names the extra to install
    ├── AuditError             an audit record is not written: the caller decides what that means
    ├── DecodeError            bytes that are not what they claim to be (OTLP)
    └── StorageError           the store cannot be opened or written
        └── StorageFullError   there is no room; try again later

Telemetry calls inside an application (decorators, ``track``, processors) never raise any of these; ``audit`` raises
AuditError, because who asks for a record that must not be lost must hear that it is.
"""

from __future__ import annotations

__all__ = [
    "AuditError",
    "DecodeError",
    "MissingExtraError",
    "OtelkitError",
    "SettingsError",
    "StorageError",
    "StorageFullError",
]


class OtelkitError(Exception):
    """Root of the tree: catch this to catch everything otelkit raises on purpose."""


class SettingsError(OtelkitError):
    """A setting has a wrong value, or two settings contradict each other.

    The message names the variable, the shape of the value (never the value of a secret) and what is allowed.
    """


class MissingExtraError(OtelkitError, ImportError):
    """A feature needs a package that is not installed; the message holds the exact install command."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra '{extra}': pip install 'otelkit[{extra}]'")
        self.extra = extra


class AuditError(OtelkitError):
    """An audit record is not written, and was perhaps not received; nothing of its content is in the message."""


class DecodeError(OtelkitError, ValueError):
    """A body is not valid OTLP in the encoding that its content type names."""


class StorageError(OtelkitError):
    """The store cannot be opened, read or written."""


class StorageFullError(StorageError):
    """There is no room for more records now; nothing of the batch was stored, so it may be sent again."""
