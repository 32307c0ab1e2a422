"""The stand-in for PostHog refuses, cuts and drops what the real one does, and stores a repeated event once."""

from __future__ import annotations

import gzip
import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from otelkit.testing.posthog import PostHogAnswer, PostHogSink

V1_HEADERS = {
    "PostHog-Sdk-Info": "otelkit/0.1.0", "PostHog-Attempt": "1", "PostHog-Request-Id": str(uuid.uuid4()),
    "PostHog-Request-Timestamp": "2026-11-21T12:00:00Z",
}  # fmt: skip


@pytest.fixture
def posthog() -> Iterator[PostHogSink]:
    with PostHogSink() as running:
        yield running


def post(
    posthog: PostHogSink, path: str, body: object, packed: bool = False, **headers: str
) -> tuple[int, dict[str, Any]]:
    data = json.dumps(body).encode() if not isinstance(body, bytes) else body
    if packed:
        data, headers = gzip.compress(data), {**headers, "Content-Encoding": "gzip"}
    request = urllib.request.Request(f"{posthog.address}{path}", data, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def event(**other: Any) -> dict[str, Any]:
    return {
        "event": "chat_message_sent", "distinct_id": "u-1", "uuid": str(uuid.uuid4()),
        "timestamp": "2026-11-21T12:00:00Z", "properties": {"streaming": True}, **other,
    }  # fmt: skip


def batch(*events: object, token: str = "phc_test") -> dict[str, Any]:
    return {"api_key": token, "batch": list(events)}


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_is_stored(posthog: PostHogSink, packed: bool) -> None:
    assert post(posthog, "/batch/", batch(event(), event(event="tool_call_executed")), packed) == (200, {"status": 1})
    assert [stored.event for stored in posthog.events] == ["chat_message_sent", "tool_call_executed"]
    assert posthog.named("chat_message_sent")[0].properties == {"streaming": True}


def test_the_same_event_again_is_stored_once_and_counted(posthog: PostHogSink) -> None:
    same = event()
    for _ in range(3):
        post(posthog, "/batch/", batch(same))
    assert len(posthog.events) == 1
    assert set(posthog.attempts.values()) == {3}


@pytest.mark.parametrize("changed", [{"timestamp": "2026-11-22T00:00:01Z"}, {"distinct_id": "u-2"}, {"event": "other"}])
def test_another_day_person_or_name_is_another_event(posthog: PostHogSink, changed: dict[str, str]) -> None:
    same = event()
    post(posthog, "/batch/", batch(same, {**same, **changed}))
    assert len(posthog.events) == 2


@pytest.mark.parametrize(
    "bad",
    [
        event(distinct_id=""), event(distinct_id="  "), event(distinct_id=None), event(event=""), event(event=None),
        event(uuid="not-a-uuid"), event(properties=[1]), "text", event(event="$groupidentify"),
    ],
)  # fmt: skip
def test_one_bad_event_refuses_the_whole_batch(posthog: PostHogSink, bad: object) -> None:
    assert post(posthog, "/batch/", batch(event(), bad))[0] == 400
    assert posthog.events == []
    assert posthog.refused.total() == 1


@pytest.mark.parametrize("token", ["", "phc_other", "phx_test", "phc_" + "x" * 61, "phc_tést"])
def test_a_wrong_token_is_refused(posthog: PostHogSink, token: str) -> None:
    assert post(posthog, "/batch/", batch(event(), token=token))[0] == 401
    assert posthog.events == []


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(posthog: PostHogSink, body: bytes) -> None:
    assert post(posthog, "/batch/", body)[0] == 400


def test_a_body_over_20_mb_is_refused_also_when_it_is_packed(posthog: PostHogSink) -> None:
    assert post(posthog, "/batch/", batch(event(properties={"long": "x" * 20_971_520})), packed=True)[0] == 413


def test_an_event_over_1_mb_is_taken_and_dropped_without_a_word(posthog: PostHogSink) -> None:
    assert post(posthog, "/batch/", batch(event(properties={"long": "x" * 1_100_000}), event()))[0] == 200
    assert len(posthog.events) == 1
    assert posthog.dropped == {"event larger than 1 MB": 1}


def test_a_long_distinct_id_is_cut(posthog: PostHogSink) -> None:
    post(posthog, "/batch/", batch(event(distinct_id="u" * 300)))
    assert posthog.events[0].distinct_id == "u" * 200


def test_an_event_without_a_uuid_is_another_one_each_time(posthog: PostHogSink) -> None:
    for _ in range(2):
        post(posthog, "/batch/", batch(event(uuid=None)))
    assert len(posthog.events) == 2


def test_over_quota_is_answered_with_200_and_not_stored() -> None:
    with PostHogSink(quota=1) as posthog:
        assert post(posthog, "/batch/", batch(event(), event())) == (200, {"status": 1, "quota_limited": ["events"]})
        assert (len(posthog.events), posthog.dropped["quota"]) == (1, 1)


def test_scripted_failures(posthog: PostHogSink) -> None:
    same = event()
    posthog.then(PostHogAnswer(429, headers={"Retry-After": "1"}), PostHogAnswer(503), PostHogAnswer(504, takes=True))
    assert [post(posthog, "/batch/", batch(same))[0] for _ in range(4)] == [429, 503, 504, 200]
    assert len(posthog.events) == 1
    assert posthog.attempts[posthog.events[0].key] == 4


def test_a_hang_up(posthog: PostHogSink) -> None:
    posthog.then(PostHogAnswer(0))
    with pytest.raises(OSError, match=r"closed connection|reset"):
        post(posthog, "/batch/", batch(event()))
    assert posthog.events == []


def test_v1_answers_for_each_event(posthog: PostHogSink) -> None:
    good, long, blank = event(), event(event="e" * 201), event(distinct_id=" ")
    body = {"created_at": "2026-11-21T12:00:00Z", "batch": [good, long, blank]}
    headers = {**V1_HEADERS, "Authorization": "Bearer phc_test"}
    status, answer = post(posthog, "/i/v1/analytics/events", body, **headers)
    assert status == 200
    results = [answer["results"][entry["uuid"]]["result"] for entry in (good, long, blank)]
    assert results == ["ok", "drop", "drop"]
    assert [stored.uuid for stored in posthog.events] == [good["uuid"]]


def test_v1_wants_its_headers_a_token_and_each_uuid_once(posthog: PostHogSink) -> None:
    same = event()
    body = {"created_at": "2026-11-21T12:00:00Z", "batch": [same]}
    bearer = {"Authorization": "Bearer phc_test"}
    path = "/i/v1/analytics/events"
    assert post(posthog, path, body, **bearer)[0] == 400
    assert post(posthog, path, body, **V1_HEADERS)[0] == 401
    assert post(posthog, path, {**body, "batch": [same, same]}, **V1_HEADERS, **bearer)[0] == 400
    assert post(posthog, path, body, **V1_HEADERS, **bearer)[0] == 200


def test_another_path_is_not_found(posthog: PostHogSink) -> None:
    assert post(posthog, "/capture", batch(event()))[0] == 404
