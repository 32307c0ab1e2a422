"""Every product event, once: one :class:`EventDef` each, with typed properties and what privacy demands of them.

An event is an OpenTelemetry log record whose ``event_name`` is the dotted name; PostHog gets it with underscores.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = [
    "CATALOGUE",
    "CONSENT_CATEGORIES",
    "DOCTOR_CHECK",
    "ERROR_NEW",
    "ERROR_REGRESSED",
    "Consent",
    "EventDef",
    "Property",
    "Treatment",
]


# No product events: records by which the server tells of an error, nobody's and without consent.
ERROR_NEW: Final = "otelkit.error.new"
ERROR_REGRESSED: Final = "otelkit.error.regressed"
# Sent by `otelkit doctor` to see where events end; nobody's, and without consent.
DOCTOR_CHECK: Final = "otelkit.doctor.check"


class Consent(StrEnum):
    """What a user may allow; everything is denied until they do."""

    USAGE = "analytics.usage_patterns"
    PERFORMANCE = "analytics.performance"
    ERRORS = "analytics.error_reports"
    REPLAY = "analytics.session_replay"


CONSENT_CATEGORIES: Final = frozenset(category.value for category in Consent)


class Treatment(StrEnum):
    """What becomes of a property before the event exists."""

    KEEP = "kept"
    LENGTH = "only its length is kept"  # content: {name}_length replaces it


@dataclass(frozen=True, slots=True)
class Property:
    """One property: its Python ``type``, meaning (with unit), and how it is treated."""

    name: str
    type: type
    meaning: str
    treatment: Treatment = Treatment.KEEP


@dataclass(frozen=True, slots=True)
class EventDef:
    """One product event in the form ``resource.action``; ``consent`` is the category the user must have granted."""

    name: str
    meaning: str
    properties: tuple[Property, ...] = ()
    consent: Consent = Consent.USAGE

    @property
    def posthog_name(self) -> str:
        """The name PostHog users expect: ``chat_message_sent``."""
        return self.name.replace(".", "_")


_SPACE: Final = Property("space_id", str, "The space, workspace or classroom it happened in, where one is known.")


def _event(name: str, meaning: str, *properties: Property, consent: Consent = Consent.USAGE) -> EventDef:
    return EventDef(name, meaning, (*properties, _SPACE), consent)


def _content(name: str, meaning: str) -> Property:
    return Property(name, str, meaning, Treatment.LENGTH)


CATALOGUE: Final[tuple[EventDef, ...]] = (
    _event(
        "chat.message_sent",
        "A user sent a message: messages a day, conversation length.",
        Property("conversation_id", str, "The conversation."),
        Property("message_length", int, "Characters."),
        Property("streaming", bool, "Whether the answer was streamed."),
    ),
    _event("chat.started", "A chat was opened.", Property("model", str, "The model it was opened with.")),
    _event(
        "conversation.created",
        "A conversation began.",
        Property("conversation_id", str, "The conversation."),
        _content("title", "Its title."),
    ),
    _event(
        "tool.call_executed",
        "A tool ran: which integrations are used, how well.",
        Property("integration", str, "The system the tool talks to."),
        Property("action", str, "What it did there."),
        Property("success", bool, "Whether it succeeded."),
        Property("duration_ms", float, "Milliseconds."),
    ),
    _event(
        "approval.requested",
        "A tool asked a person for approval: friction.",
        Property("tool", str, "The tool."),
        Property("approved", bool, "The answer."),
        Property("timeout", bool, "Whether nobody answered in time."),
    ),
    _event("onboarding.started", "Onboarding began.", Property("persona", str, "Which persona.")),
    _event(
        "onboarding.step_completed",
        "One step is done: drop-off after step N.",
        Property("step", str, "The step."),
        Property("persona", str, "Which persona."),
    ),
    _event(
        "onboarding.completed",
        "Onboarding is done.",
        Property("persona", str, "Which persona."),
        Property("spaces_created", int, "How many spaces."),
        Property("time_to_complete", float, "Seconds."),
    ),
    _event(
        "integration.connected",
        "An integration was connected: adoption.",
        Property("integration_name", str, "Which one."),
        Property("success", bool, "Whether it worked."),
    ),
    _event(
        "search.performed",
        "A user searched.",
        _content("query", "What they searched for."),
        Property("result_count", int, "Results."),
        Property("result_types", list, "Kinds of results."),
    ),
    _event(
        "search.result_clicked",
        "A user opened a result: click-through.",
        Property("rank", int, "Position, from 1."),
        Property("result_type", str, "Kind of result."),
    ),
    _event(
        "setting.changed",
        "A setting was changed: what people customise.",
        Property("category", str, "Group of settings."),
        Property("key", str, "The setting."),
        _content("old_value", "Before."),
        _content("new_value", "After."),
    ),
    _event(
        "error.occurred",
        "A user met an error: reported against detected.",
        Property("error_type", str, "Exception type or category."),
        Property("endpoint", str, "Route template."),
        _content("stack_trace", "The stack."),
        Property("origin", str, "auto or user_reported."),
        consent=Consent.ERRORS,
    ),
    _event(
        "page.viewed",
        "A page was viewed: flows, bounce rate.",
        Property("page", str, "Its path, without a query."),
        Property("referrer", str, "The host it came from."),
        Property("duration", float, "Seconds."),
    ),
    _event("session.started", "A session began."),
    _event("session.ended", "A session ended.", Property("duration", float, "Seconds.")),
    _event("signup.completed", "Someone signed up.", Property("auth_method", str, "How.")),
    _event("user.logged_in", "Someone logged in.", Property("auth_method", str, "How.")),
    _event("group.created", "A group was created.", Property("group_size", int, "Members.")),
    _event("task.created", "A task was created."),
    _event("task.completed", "A task was completed.", Property("duration", float, "Seconds from creation.")),
    _event("document.uploaded", "A document was uploaded.", Property("file_size", int, "Bytes.")),
    _event(
        "feedback.given",
        "A user rated something.",
        Property("rating", int, "-1, 0, 1 or a number of stars."),
        Property("target", str, "What was rated."),
        _content("comment", "What they wrote."),
        Property("conversation_id", str, "The conversation."),
    ),
    _event("plan.trial_started", "A trial began.", Property("plan_tier", str, "free, pro or enterprise.")),
    _event(
        "plan.paid",
        "A plan was paid for.",
        Property("amount", float, "In the currency's unit."),
        Property("currency", str, "ISO 4217 code."),
        Property("plan_tier", str, "free, pro or enterprise."),
    ),
)
"""All events in reading order."""
