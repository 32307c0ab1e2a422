"""Small helpers for strings that come from senders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from otelkit.model import Attributes, AttributeValue, Resource
from otelkit.semconv.attributes import Core, GenAI, Otelkit

__all__ = [
    "LABEL",
    "OTHER",
    "UNKNOWN_SERVICE",
    "Memo",
    "Who",
    "clip",
    "one_line",
    "service_of",
    "short",
    "string_of",
    "text_of",
    "version_of",
    "who",
]

T = TypeVar("T")
LABEL: Final = 200
OTHER: Final = "(other)"  # stands for names of which there are too many to tell apart
_MOST_REMEMBERED: Final = 8_192
UNKNOWN_SERVICE: Final = "unknown_service"
# Names that were valid before 1.27 of the conventions and that many services still send.
_OLD_ENVIRONMENT: Final = "deployment.environment"


def clip(text: str, limit: int) -> str:
    """Return at most ``limit`` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str, limit: int) -> str:
    """Return the text on one line, shortened."""
    return clip(" ".join(text[: limit * 4].split()), limit)


def text_of(value: AttributeValue) -> str:
    """Return a string or a number as text; an empty string for everything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def string_of(attributes: Attributes, *names: str) -> str:
    """Return the first of the attributes that is a non-empty string or a number, as text; else an empty string."""
    return next((text for name in names if (text := text_of(attributes.get(name)))), "")


def short(value: AttributeValue) -> str:
    """Return a value as a short text, an empty string where it is none."""
    return clip(text_of(value), LABEL)


class Memo(Generic[T]):
    """A function of a few attribute values that remembers its answers for short texts; bounded in what it holds."""

    def __init__(self, function: Callable[..., T]) -> None:
        self._function = function
        self._known: dict[tuple[AttributeValue, ...], T] = {}

    def __call__(self, *values: AttributeValue) -> T:
        try:
            return self._known[values]
        except KeyError:
            answer = self._function(*values)
        except TypeError:  # a list where a name should be
            return self._function(*values)
        # Only texts: 1, 1.0 and True are the same key of a dict.
        if all(value is None or (type(value) is str and len(value) <= LABEL) for value in values):
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[values] = answer
        return answer


class Who(NamedTuple):
    """Whom a span belongs to."""

    user: str | None
    group: str | None
    session: str | None
    conversation: str | None


def who(attributes: Attributes) -> Who:
    """Return whom a span belongs to, as far as it says."""
    value = attributes.get
    return _who(value(Core.USER_ID), value(Otelkit.GROUP_ID), value(Core.SESSION_ID), value(GenAI.CONVERSATION_ID))


@Memo  # all spans of a trace belong to the same few
def _who(*ids: AttributeValue) -> Who:
    return Who(*[short(value) or None for value in ids])


def version_of(resource: Resource) -> str:
    """Return a service's version, an empty string where it does not say."""
    return clip(string_of(resource.attributes, Core.SERVICE_VERSION), LABEL)


def service_of(resource: Resource) -> tuple[str, str]:
    """Return service name and environment."""
    attributes = resource.attributes
    service = string_of(attributes, Core.SERVICE_NAME) or UNKNOWN_SERVICE
    return clip(service, 200), clip(string_of(attributes, Core.DEPLOYMENT_ENVIRONMENT, _OLD_ENVIRONMENT), 200)
