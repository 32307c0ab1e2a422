"""What the tests of real workers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otelkit.testing.otlp_sink import OtlpSink
from tests.sdk.jobs.support import environment
from tests.sdk.redis_support import RedisServer


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    """Where the workers' telemetry goes."""
    with OtlpSink() as running:
        yield running


@pytest.fixture
def told(sink: OtlpSink, redis: RedisServer) -> dict[str, str]:
    """The environment of whoever enqueues and works."""
    return environment(sink, redis.url())
