"""Small helpers for strings that come from senders."""

from __future__ import annotations

from typing import Final

from otelkit.model import Attributes, AttributeValue, Resource
from otelkit.semconv.attributes import Core

__all__ = ["clip", "one_line", "service_of", "string_of"]

UNKNOWN_SERVICE: Final = "unknown_service"
# Names that were valid before 1.27 of the conventions and that many services still send.
_OLD_ENVIRONMENT: Final = "deployment.environment"


def clip(text: str, limit: int) -> str:
    """Return at most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str, limit: int) -> str:
    """Return the text on one line, shortened."""
    return clip(" ".join(text[: limit * 4].split()), limit)


def string_of(attributes: Attributes, *names: str) -> str:
    """Return the first of the attributes that is a non-empty string or a number, as text; else an empty string."""
    for name in names:
        value: AttributeValue = attributes.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return ""


def service_of(resource: Resource) -> tuple[str, str]:
    """Return service name and environment."""
    attributes = resource.attributes
    service = string_of(attributes, Core.SERVICE_NAME) or UNKNOWN_SERVICE
    return clip(service, 200), clip(string_of(attributes, Core.DEPLOYMENT_ENVIRONMENT, _OLD_ENVIRONMENT), 200)
