"""The catalogue holds together: names, units, boundaries, and Prometheus names as the real exporter writes them."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry

from otelkit.mapping.content import is_content
from otelkit.semconv import attributes, events, security
from otelkit.semconv.attributes import Core, GenAI, Otelkit
from otelkit.semconv.events import EventDef
from otelkit.semconv.metrics import CATALOGUE, SERVER, Instrument, MetricDef, Profile

# UCUM, as OpenTelemetry uses it: seconds, bytes, one, an annotation in braces, and ISO 4217 for money.
UNITS = re.compile(r"s|By|1|USD|\{[a-z_]+\}")
DOTTED = re.compile(r"[a-z][a-z0-9_]*(\.([a-z][a-z0-9_]*|\d+m))+")  # the Collector has load_average.1m
SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

# Names that people look for (the project's brief), with their properties.
ASKED_FOR = {
    "chat.message_sent": {"conversation_id", "message_length", "streaming"},
    "tool.call_executed": {"integration", "action", "success", "duration_ms"},
    "approval.requested": {"tool", "approved", "timeout"},
    "onboarding.started": {"persona"},
    "onboarding.step_completed": {"step"},
    "onboarding.completed": {"persona", "spaces_created", "time_to_complete"},
    "integration.connected": {"integration_name", "success"},
    "conversation.created": {"space_id", "title"},
    "search.performed": {"query", "result_count", "result_types"},
    "search.result_clicked": {"rank", "result_type"},
    "setting.changed": {"category", "key", "old_value", "new_value"},
    "error.occurred": {"error_type", "endpoint", "stack_trace", "origin"},
    "page.viewed": {"page", "referrer", "duration"},
    "session.started": set(),
    "session.ended": {"duration"},
    "signup.completed": set(),
    "user.logged_in": {"auth_method"},
    "group.created": set(),
    "task.created": set(),
    "task.completed": set(),
    "document.uploaded": {"file_size"},
    "chat.started": {"model"},
    "feedback.given": {"rating", "target", "comment"},
    "plan.trial_started": set(),
    "plan.paid": {"amount", "currency"},
}
CONTENT = {"title", "query", "old_value", "new_value", "stack_trace", "comment"}
EVERYTHING = (*CATALOGUE, *SERVER)
PERSONAL = {Core.USER_ID, Core.SESSION_ID, Otelkit.GROUP_ID, GenAI.CONVERSATION_ID, Otelkit.REQUEST_ID}


# --- metrics -------------------------------------------------------------------------------------------------


def test_names_are_there_once() -> None:
    assert [name for name, count in Counter(entry.name for entry in EVERYTHING).items() if count > 1] == []
    assert len({entry.prometheus_name for entry in EVERYTHING}) == len(EVERYTHING)


@pytest.mark.parametrize("entry", EVERYTHING, ids=lambda entry: entry.name)
def test_an_entry_is_well_formed(entry: MetricDef) -> None:
    assert DOTTED.fullmatch(entry.name)
    assert UNITS.fullmatch(entry.unit)
    assert entry.description.endswith(".")
    assert bool(entry.boundaries) is (entry.instrument is Instrument.HISTOGRAM)
    assert all(low < high for low, high in zip(entry.boundaries, entry.boundaries[1:], strict=False))
    assert len(set(entry.attributes)) == len(entry.attributes)
    assert not PERSONAL & set(entry.attributes), "users, groups and conversations are never a label"
    assert not any(map(is_content, entry.attributes))


def test_both_profiles_say_the_same_things() -> None:
    classic = {entry.name.rpartition(".")[2] for entry in CATALOGUE if entry.profile is Profile.CLASSIC}
    latest = {entry.name.rpartition(".")[2] for entry in CATALOGUE if entry.profile is Profile.LATEST}
    assert classic == {"usage", "duration", "time_to_first_chunk"}
    assert latest == {"input_tokens", "output_tokens", "duration", "time_to_first_chunk"}


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_the_prometheus_name_is_what_the_exporter_writes(entry: MetricDef) -> None:
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(disable_target_info=True, registry=registry)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    record_one(provider.get_meter("test"), entry)
    written = {sample.name for metric in registry.collect() for sample in metric.samples}
    provider.shutdown()
    suffixes = ("_bucket", "_sum", "_count") if entry.instrument is Instrument.HISTOGRAM else ("",)
    assert written == {entry.prometheus_name + suffix for suffix in suffixes}


def record_one(meter: Meter, entry: MetricDef) -> None:
    match entry.instrument:
        case Instrument.COUNTER:
            meter.create_counter(entry.name, entry.unit).add(1)
        case Instrument.UP_DOWN_COUNTER:
            meter.create_up_down_counter(entry.name, entry.unit).add(1)
        case Instrument.GAUGE:
            meter.create_gauge(entry.name, entry.unit).set(1)
        case Instrument.HISTOGRAM:
            meter.create_histogram(
                entry.name, entry.unit, explicit_bucket_boundaries_advisory=list(entry.boundaries)
            ).record(1)


# --- events --------------------------------------------------------------------------------------------------


def test_event_names_are_there_once() -> None:
    assert len({entry.name for entry in events.CATALOGUE}) == len(events.CATALOGUE)
    assert len({entry.posthog_name for entry in events.CATALOGUE}) == len(events.CATALOGUE)


@pytest.mark.parametrize("entry", events.CATALOGUE, ids=lambda entry: entry.name)
def test_an_event_is_well_formed(entry: EventDef) -> None:
    resource, dot, action = entry.name.partition(".")
    assert dot
    assert SNAKE.fullmatch(resource)
    assert SNAKE.fullmatch(action)
    assert entry.posthog_name == f"{resource}_{action}"
    assert entry.meaning.endswith(".")
    names = [item.name for item in entry.properties]
    assert len(set(names)) == len(names)
    assert "space_id" in names
    for item in entry.properties:
        assert SNAKE.fullmatch(item.name)
        assert item.meaning.endswith(".")
        assert item.type in {str, int, float, bool, list}
        assert (item.treatment is events.Treatment.LENGTH) is (item.name in CONTENT)
        assert f"{item.name}_length" not in names, "a content property becomes that name"


@pytest.mark.parametrize("name", ASKED_FOR)
def test_events_that_were_asked_for_are_there(name: str) -> None:
    found = {entry.name: entry for entry in events.CATALOGUE}
    assert ASKED_FOR[name] <= {item.name for item in found[name].properties}


def test_consent_categories() -> None:
    assert {
        "analytics.usage_patterns",
        "analytics.performance",
        "analytics.error_reports",
        "analytics.session_replay",
    } == events.CONSENT_CATEGORIES
    errors = [entry for entry in events.CATALOGUE if entry.consent is events.Consent.ERRORS]
    assert [entry.name for entry in errors] == ["error.occurred"]


# --- security ------------------------------------------------------------------------------------------------

# Of the Elastic Common Schema: what is expected together, as far as it is used here.
ECS = {"authentication": {"start", "end", "info"}, "api": {"access", "denied", "allowed", "start", "end"}}


@pytest.mark.parametrize("entry", security.KINDS.values(), ids=lambda entry: entry.kind)
def test_a_kind_of_security_event_is_well_formed(entry: security.SecurityDef) -> None:
    assert DOTTED.fullmatch(entry.kind)
    assert entry.event_name == f"security.{entry.kind}"
    assert entry.event_name not in {event.name for event in events.CATALOGUE}
    assert entry.meaning.endswith(".")
    assert entry.type in ECS[entry.category]
    assert entry.outcome in security.OUTCOMES


# --- attributes ----------------------------------------------------------------------------------------------


def test_attribute_names_are_spelt_once() -> None:
    kinds = (
        attributes.GenAI,
        attributes.Core,
        attributes.WebSocket,
        attributes.Messaging,
        attributes.Audit,
        attributes.Event,
        attributes.Security,
        attributes.Otelkit,
        attributes.Errors,
        attributes.OpenInference,
        attributes.Traceloop,
    )
    values = [v for kind in kinds for n, v in vars(kind).items() if n.isupper() and isinstance(v, str)]
    assert [value for value, count in Counter(values).items() if count > 1] == []


def test_our_own_names_start_with_ours() -> None:
    own = [
        value
        for kind in (attributes.Otelkit, attributes.Errors, attributes.Audit, attributes.Security)
        for name, value in vars(kind).items()
        if name.isupper()
    ]
    assert own
    assert all(value.startswith("otelkit.") for value in own)
