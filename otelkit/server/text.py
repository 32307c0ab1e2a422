"""Small helpers for strings that come from senders."""

from __future__ import annotations

from typing import Final, NamedTuple

from otelkit.model import Attributes, AttributeValue, Resource
from otelkit.semconv.attributes import Core, GenAI, Otelkit

__all__ = ["LABEL", "UNKNOWN_SERVICE", "Who", "clip", "label", "one_line", "service_of", "string_of", "who"]

LABEL: Final = 200
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


def label(attributes: Attributes, name: str) -> str:
    """Return an attribute as a short text, an empty string where there is none."""
    value = attributes.get(name)
    if value is None:
        return ""
    if type(value) is str and len(value) <= LABEL:
        return value
    return clip(string_of(attributes, name), LABEL)


class Who(NamedTuple):
    """Whom a span belongs to."""

    user: str | None
    group: str | None
    session: str | None
    conversation: str | None


def who(attributes: Attributes) -> Who:
    """Return whom a span belongs to, as far as it says."""
    names = (Core.USER_ID, Otelkit.GROUP_ID, Core.SESSION_ID, GenAI.CONVERSATION_ID)
    return Who(*[label(attributes, name) or None for name in names])


def service_of(resource: Resource) -> tuple[str, str]:
    """Return service name and environment."""
    attributes = resource.attributes
    service = string_of(attributes, Core.SERVICE_NAME) or UNKNOWN_SERVICE
    return clip(service, 200), clip(string_of(attributes, Core.DEPLOYMENT_ENVIRONMENT, _OLD_ENVIRONMENT), 200)
