"""Settings → sampler: the export is sampled, the recording is not, because metrics come from all spans."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from otelkit.settings import Settings

__all__ = ["RecordAll", "sampler_of"]


class RecordAll(Sampler):
    """Records what ``root`` would drop, without marking it as sampled.

    The SDK's ``AlwaysRecordSampler`` (1.45) does so too, but its spans begin without their attributes: samplers answer
    a drop with none.
    """

    def __init__(self, root: Sampler) -> None:
        self._root = root

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """The root's decision, with a drop turned into recording only."""
        result = self._root.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is not Decision.DROP:
            return result
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        """For people."""
        return f"RecordAll{{{self._root.get_description()}}}"


def sampler_of(settings: Settings) -> Sampler:
    """The sampler that ``OTEL_TRACES_SAMPLER`` names, recording everything."""
    root: Sampler = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": TraceIdRatioBased(settings.sampler_ratio),
    }[settings.sampler.removeprefix("parentbased_")]
    return RecordAll(ParentBased(root) if settings.sampler.startswith("parentbased_") else root)
