"""Who and what the telemetry belongs to: session, request, and the helpers that carry them along.

Everything travels in private keys of the OpenTelemetry context, never as baggage: baggage would be sent to every host
the service calls, LLM vendors included.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from contextvars import Token
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from otelkit.sdk.guard import guard, log_sparsely
from otelkit.sdk.origins import remember_user
from otelkit.semconv.attributes import Core, GenAI, Otelkit
from otelkit.semconv.events import CONSENT_CATEGORIES, Consent

if TYPE_CHECKING:
    from otelkit.mapping.pseudonyms import Pseudonymiser

__all__ = [
    "SessionInfo",
    "bind",
    "configure",
    "current_request",
    "current_request_id",
    "current_session",
    "detach",
    "group_pseudonym",
    "reportable_user",
    "request_context",
    "session",
]

P = ParamSpec("P")
R = TypeVar("R")

_SESSION_KEY: Final = otel_context.create_key("otelkit-session")
_REQUEST_KEY: Final = otel_context.create_key("otelkit-request")
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session as telemetry sees it: pseudonyms only, the real ids are gone.

    Attributes:
        attributes: what goes on every span, log record and event inside.
        user: the user's pseudonym, for product events the user consented to; empty without a user.
        consent: categories the user granted.
    """

    attributes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    user: str = ""
    consent: frozenset[str] = frozenset()


_NO_SESSION: Final = SessionInfo()


@dataclass(frozen=True, slots=True)
class _Request:
    id: str
    span: trace.Span
    scope: Mapping[str, Any]


class _Policy:
    """How ids are treated in this process; set once by ``init``."""

    pseudonym: Pseudonymiser | None = None
    identify_users: str = "consent"


def configure(pseudonymiser: Pseudonymiser | None, identify_users: str) -> None:
    """Set how ids are pseudonymised and when users are on operational signals (``never``, ``consent``, ``always``)."""
    _Policy.pseudonym = pseudonymiser
    _Policy.identify_users = identify_users


def current_session(context: Context | None = None) -> SessionInfo:
    """The session of ``context`` (default: the current one); an empty one outside any."""
    value = otel_context.get_value(_SESSION_KEY, context)
    return value if isinstance(value, SessionInfo) else _NO_SESSION


def reportable_user() -> str:
    """The pseudonym of the current user, if they consented to be named in error reports; else an empty string."""
    info = current_session()
    return info.user if Consent.ERRORS in info.consent else ""


def current_request_id(context: Context | None = None) -> str:
    """The id of the HTTP request or WebSocket being served, or an empty string."""
    value = otel_context.get_value(_REQUEST_KEY, context)
    return value.id if isinstance(value, _Request) else ""


def group_pseudonym(group: object) -> str:
    """How telemetry knows a group; empty while telemetry is off."""
    return _Policy.pseudonym("group", group) if _Policy.pseudonym is not None else ""


def request_context(request_id: str, scope: Mapping[str, Any]) -> Context:
    """A context that says which request is being served, by its ASGI scope; the current span is its request span."""
    return otel_context.set_value(_REQUEST_KEY, _Request(request_id, trace.get_current_span(), scope))


def current_request() -> tuple[str, str] | None:
    """Method and route template of the request being served, as far as they are known; None outside any."""
    value = otel_context.get_value(_REQUEST_KEY)
    if not isinstance(value, _Request):
        return None
    return str(value.scope.get("method", "WEBSOCKET")), str(getattr(value.scope.get("route"), "path", ""))


def detach(token: Token[Context]) -> bool:
    """Undo an ``attach``; False, and not a logged error as OpenTelemetry has it, where another context made it.

    A coroutine that is closed by the garbage collector, for one, ends in whatever context that runs in.
    """
    try:
        token.var.reset(token)
    except (ValueError, RuntimeError):  # of another context; used already
        return False
    return True


class session:
    """Say whose work this is; on every span, log record and event inside, across tasks and threads started there.

    Args:
        user_id: your id of the user. Leaves the process only as a pseudonym, and on spans and logs only if the user
            consented to ``analytics.usage_patterns`` (or ``OTELKIT_IDENTIFY_USERS`` says otherwise).
        group_id: your id of the tenant, team or family; leaves as a pseudonym.
        conversation_id: id of the conversation, left as it is so that it matches other instrumentations'
            ``gen_ai.conversation.id``: do not put a person's name into it.
        session_id: your id of the visit; leaves as a pseudonym.
        consent: categories this user granted (``analytics.usage_patterns`` …), as names or as name → True or False;
            nothing is granted by default, and nothing by any other value.

    Use it with ``with`` (also in async code). An inner session adds to the outer one. Inside a request it also marks
    the live request span. It never raises: unknown categories are ignored and logged.
    """

    def __init__(
        self,
        user_id: object = None,
        group_id: object = None,
        conversation_id: object = None,
        session_id: object = None,
        *,
        consent: Iterable[str] | Mapping[str, bool] | None = None,
    ) -> None:
        self._ids = (user_id, group_id, conversation_id, session_id)
        self._consent = consent
        self._token: Token[Context] | None = None

    def __enter__(self) -> SessionInfo:
        info = _NO_SESSION  # what remains when something is wrong with the ids: nobody's, never the outer user's
        with guard:
            info = _merged(current_session(), self._ids, self._consent)
        self._token = otel_context.attach(otel_context.set_value(_SESSION_KEY, info))
        with guard:
            _mark_live_spans(info)
        return info

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            with guard:
                remember_user(error, reportable_user())
        if self._token is not None:
            detach(self._token)
            self._token = None


def _merged(
    outer: SessionInfo,
    ids: tuple[object, object, object, object],
    consent: Iterable[str] | Mapping[str, bool] | None,
) -> SessionInfo:
    user_id, group_id, conversation_id, session_id = ids
    granted = outer.consent if consent is None else _known_categories(consent)
    if user_id is not None and consent is None:
        granted = frozenset()  # another user: the outer user's consent is not theirs
    pseudonym = _Policy.pseudonym
    if pseudonym is None:  # telemetry is off
        return outer
    user = outer.user if user_id is None else pseudonym("user", user_id)
    attributes = dict(outer.attributes)
    attributes.pop(Core.USER_ID, None)
    if user and (
        _Policy.identify_users == "always" or (_Policy.identify_users == "consent" and Consent.USAGE in granted)
    ):
        attributes[Core.USER_ID] = user
    if group_id is not None:
        attributes[Otelkit.GROUP_ID] = pseudonym("group", group_id)
    if conversation_id is not None:
        attributes[GenAI.CONVERSATION_ID] = str(conversation_id)
    if session_id is not None:
        attributes[Core.SESSION_ID] = pseudonym("session", session_id)
    return SessionInfo(MappingProxyType(attributes), user, granted)


def _known_categories(consent: object) -> frozenset[str]:
    if isinstance(consent, Mapping):
        given = frozenset(name for name, granted in consent.items() if granted is True)
    elif isinstance(consent, str):
        given = frozenset([consent])
    elif isinstance(consent, (list, tuple, set, frozenset)):
        given = frozenset(name for name in consent if isinstance(name, str))
    else:
        log_sparsely(
            "consent type", "consent must be category names, not %s: nothing is granted", type(consent).__name__
        )
        return frozenset()
    if unknown := given - CONSENT_CATEGORIES:
        log_sparsely(
            "consent",
            "%d unknown consent categories ignored; known are %s",
            len(unknown),
            ", ".join(sorted(CONSENT_CATEGORIES)),
        )
    return given & CONSENT_CATEGORIES


def _mark_live_spans(info: SessionInfo) -> None:
    request = otel_context.get_value(_REQUEST_KEY)
    spans = {trace.get_current_span()}
    if isinstance(request, _Request):
        spans.add(request.span)
    for span in spans:
        if span.is_recording():
            span.set_attributes(info.attributes)


def bind(function: Callable[P, R]) -> Callable[P, R]:
    """Carry the current session and trace into a thread: ``executor.submit(otelkit.bind(work), item)``."""
    captured = otel_context.get_current()

    @functools.wraps(function)
    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        token = otel_context.attach(captured)
        try:
            return function(*args, **kwargs)
        finally:
            detach(token)

    return bound
