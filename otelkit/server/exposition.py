"""``GET /metrics``: what is known, in Prometheus' words.

The store is asked by one at a time and at most once in half a minute, however many ask and whatever it answers; what
the server counts itself is always told, and as it is.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from otelkit.errors import StorageError
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.semconv.attributes import Otelkit
from otelkit.semconv.metrics import Instrument, MetricDef, ServerMetrics
from otelkit.server.delays import Distribution
from otelkit.server.insights.status import REASONS, Status
from otelkit.server.insights.usage import Sample, usage
from otelkit.server.permissions import PermittedRoute
from otelkit.server.pipeline import Pipeline
from otelkit.server.signals import REASONS as REFUSALS
from otelkit.server.storage.database import Database

__all__ = ["Exposition", "scrape_route"]

_log = logging.getLogger(__name__)

_FRESH: Final = 30.0  # seconds until the store is asked again, whether it has answered or not
_OLDEST: Final = 300.0  # seconds that an answer is told for while no other one comes
_PATIENCE: Final = 4.0  # seconds that a scrape waits for the store; Prometheus gives up after 10
_SEALED: Final = re.compile(r"[0-9a-f]{32}")  # how pseudonyms look
_SIGNALS: Final = {"spans": "traces", "logs": "logs", "points": "metrics"}  # as the SDK's own metrics call them


class Exposition:
    """Answers scrapes; for the server's event loop.

    Args:
        database: what is stored.
        pipeline: what is received.
        status: what state it is in.
        pseudonym: the deployment's, if it has a salt.
        clock: monotonic seconds, by which an answer ages.
    """

    def __init__(
        self,
        database: Database,
        pipeline: Pipeline,
        status: Status,
        pseudonym: Pseudonymiser | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._pipeline = pipeline
        self._status = status
        self._pseudonym = pseudonym
        self._own = Pseudonymiser(database.secret())
        self._clock = clock
        self._asking: asyncio.Task[None] | None = None
        self._asked = -math.inf
        self._kept: tuple[float, list[Sample]] = 0.0, []  # when they were asked for

    async def text(self, accept: str) -> tuple[bytes, str]:
        """Return the answer and its media type: OpenMetrics where ``accept`` asks for it, else Prometheus' text."""
        await self._refreshed()
        encode, media = choose_encoder(accept)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Known([*_gathered([*self._work(), *self._stored()]), *self._delays()]))
        return encode(registry), media

    async def _refreshed(self) -> None:
        """Wait a while for what is stored, where it is time to ask; all wait for one, and for none that hangs."""
        if self._asking is None or self._asking.done():
            if self._clock() - self._asked < _FRESH:
                return
            self._asked = self._clock()
            self._asking = asyncio.create_task(self._refresh())
        left = self._asked + _PATIENCE - self._clock()
        if left > 0:
            await asyncio.wait({self._asking}, timeout=left)  # which goes on when this scrape does not

    async def _refresh(self) -> None:
        asked = self._clock()
        try:
            self._kept = asked, await run_in_threadpool(self._ask)
        except (StorageError, SQLAlchemyError, OSError) as failure:
            # Its message may hold the statement and what was asked for.
            _log.warning("GET /metrics goes without what is stored: %s", type(failure).__name__)

    def _ask(self) -> list[Sample]:
        with self._database.reading() as connection:
            size = self._database.dialect.size(connection)
            return [Sample(ServerMetrics.STORE_SIZE, size, {}), *usage(connection, time.time(), self._tenant)]

    def _stored(self) -> list[Sample]:
        asked, samples = self._kept
        return samples if self._clock() - asked < _OLDEST else []

    def _tenant(self, group: str) -> str:
        """Return a pseudonym as it is stored, as everywhere else; what only looks like one is told with the salt."""
        if self._own.made(group):
            return group
        if self._pseudonym is None:
            return group if _SEALED.fullmatch(group) else self._own("group", group)
        return group if self._pseudonym.made(group) else self._pseudonym("group", group)

    def _work(self) -> Iterator[Sample]:
        pipeline, progress = self._pipeline, self._pipeline.progress
        yield Sample(ServerMetrics.UPTIME, self._status.uptime, {})
        yield Sample(ServerMetrics.WRITABLE, float(self._status.state() == "ok"), {})
        yield Sample(ServerMetrics.QUEUE_LENGTH, pipeline.waiting, {})
        yield Sample(ServerMetrics.QUEUE_SIZE, pipeline.waiting_bytes, {})
        for signal, named in _SIGNALS.items():
            about = {Otelkit.SIGNAL: named}
            yield Sample(ServerMetrics.RECEIVED, progress.received[signal], about)
            # From zero, so that the first one shows as an increase.
            for reason in REASONS:
                count = progress.rejected[signal, reason]
                yield Sample(ServerMetrics.REJECTED, count, {**about, Otelkit.DROP_REASON: reason})
            for reason in REFUSALS:
                count = progress.refused[signal, reason]
                yield Sample(ServerMetrics.REFUSED, count, {**about, Otelkit.DROP_REASON: reason})

    def _delays(self) -> Iterator[Metric]:
        entry = ServerMetrics.DELAY
        family = HistogramMetricFamily(entry.prometheus_name, entry.description, labels=[_label(Otelkit.SIGNAL)])
        for signal, found in self._pipeline.progress.delays.read().items():
            family.add_metric([_SIGNALS[signal]], buckets=_buckets(found), sum_value=found.seconds)
        yield family


def scrape_route(exposition: Exposition) -> PermittedRoute:
    """Return ``GET /metrics``; a browser is sent to the page of metrics, which is a slash further."""

    async def scrape(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        if "text/html" in accept:
            return RedirectResponse("/metrics/", 307)
        text, media = await exposition.text(accept)
        return Response(text, headers={"Content-Type": media, "Cache-Control": "no-store"})

    return PermittedRoute("/metrics", scrape, methods=["GET"], permission="read")


class _Known(Collector):
    """Gives families that are there already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _gathered(samples: Iterable[Sample]) -> Iterable[Metric]:
    """Return samples of one metric as one family, in the order of their first."""
    families: dict[str, Metric] = {}
    for sample in samples:
        entry = sample.metric
        family = families.get(entry.name)
        if family is None:
            family = families[entry.name] = _family(entry)
        family.add_metric([sample.attributes[name] for name in entry.attributes], sample.value)  # type: ignore[attr-defined]
    return families.values()


def _family(entry: MetricDef) -> Metric:
    labels = [_label(name) for name in entry.attributes]
    if entry.instrument is Instrument.COUNTER:
        return CounterMetricFamily(entry.prometheus_name, entry.description, labels=labels)
    return GaugeMetricFamily(entry.prometheus_name, entry.description, labels=labels)


def _buckets(found: Distribution) -> list[tuple[str, float]]:
    bounds = [*(f"{float(bound)}" for bound in ServerMetrics.DELAY.boundaries), "+Inf"]
    return list(zip(bounds, map(float, found.within), strict=True))


def _label(attribute: str) -> str:
    return attribute.replace(".", "_")
