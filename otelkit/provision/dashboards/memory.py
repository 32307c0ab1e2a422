"""Memory and retrieval: what the model is given to know, and how its sources are kept up to date."""

from __future__ import annotations

from typing import Final

from otelkit.provision.dashboards.definition import (
    ALL,
    SERVICES,
    Ask,
    Dashboard,
    Kind,
    Panel,
    Row,
    Step,
    Unit,
    at_least,
    seconds,
)
from otelkit.provision.promql import equals, share
from otelkit.semconv.attributes import Core, Database, GenAI, Otelkit
from otelkit.semconv.metrics import DatabaseMetrics, JobMetrics, Metrics

__all__ = ["BOARD"]

_SOURCE: Final = (GenAI.DATA_SOURCE_ID,)
_TABLE: Final = (Core.DB_SYSTEM, Database.COLLECTION)
_INTEGRATION: Final = (Otelkit.SYNC_INTEGRATION,)
_WELL: Final = equals(Otelkit.OUTCOME, "success")

_RETRIEVAL: Final = Row(
    "Retrieval",
    (
        Panel(
            title="Latency of the whole pipeline",
            says="From the first embedding or retrieval of a request to the end of its last model call.",
            asks=seconds(SERVICES, Metrics.RAG_PIPELINE_DURATION),
            unit=Unit.SECONDS,
        ),
        Panel(
            title="Distribution of pipeline latency",
            says="How many requests with retrieval took how long.",
            asks=(Ask(SERVICES.buckets(Metrics.RAG_PIPELINE_DURATION)),),
            unit=Unit.SECONDS,
            kind=Kind.HEAT,
        ),
        Panel(
            title="Retrieval by source",
            says="The 95th percentile of one retrieval, by data source.",
            asks=seconds(SERVICES, Metrics.RETRIEVAL_DURATION, by=_SOURCE),
            unit=Unit.SECONDS,
            alerts=("SlowRetrieval",),
        ),
        Panel(
            title="Empty retrievals",
            says="Share of retrievals that found nothing: the model answers from itself then.",
            asks=(
                Ask(
                    share(
                        SERVICES.rate(Metrics.RETRIEVAL_EMPTY, by=_SOURCE),
                        SERVICES.rate(Metrics.RETRIEVAL_DURATION, by=_SOURCE),
                    )
                ),
            ),
            unit=Unit.SHARE,
            steps=at_least(0.1, 0.3),
            alerts=("EmptyRetrievals",),
        ),
        Panel(
            title="Documents found",
            says="How many retrievals gave back how many documents.",
            asks=(Ask(SERVICES.buckets(Metrics.RETRIEVAL_RESULTS)),),
            unit=Unit.COUNT,
            kind=Kind.HEAT,
        ),
        Panel(
            title="Similarity",
            says="The mean similarity score of retrieved documents by data source; comparable only within a source.",
            asks=(Ask(SERVICES.mean(Metrics.RETRIEVAL_SCORE, by=_SOURCE)),),
            unit=Unit.NUMBER,
        ),
    ),
)
_MODELS: Final = Row(
    "Embeddings and reranks",
    (
        Panel(
            title="Embedding time",
            says="The 95th percentile of one embedding call, by model.",
            asks=seconds(SERVICES, Metrics.EMBEDDING_DURATION, by=(GenAI.REQUEST_MODEL,), sure=False),
            unit=Unit.SECONDS,
            width=12,
        ),
        Panel(
            title="Rerank time",
            says="The 95th percentile of one rerank, by model.",
            asks=seconds(SERVICES, Metrics.RERANK_DURATION, by=(Otelkit.RERANK_MODEL,), sure=False),
            unit=Unit.SECONDS,
            width=12,
        ),
    ),
)
_VECTORS: Final = Row(
    "Vector search",
    (
        Panel(
            title="Vector search latency",
            says="The 95th percentile of one search in a database, by table (pgvector).",
            asks=seconds(SERVICES, DatabaseMetrics.VECTOR_SEARCH, by=_TABLE, sure=False),
            unit=Unit.SECONDS,
        ),
        Panel(
            title="Rows found",
            says="The mean number of rows a vector search gave back, by table.",
            asks=(Ask(SERVICES.mean(DatabaseMetrics.VECTOR_RESULTS, by=_TABLE), sure=False),),
            unit=Unit.COUNT,
        ),
        Panel(
            title="Size of indexes",
            says="Vectors in an index, as the service said with otelkit.vector_index.",
            asks=(Ask(SERVICES.now(DatabaseMetrics.VECTOR_INDEX, by=_SOURCE, how="max"), sure=False),),
            unit=Unit.COUNT,
        ),
    ),
)
_SYNCS: Final = Row(
    "Syncs",
    (
        Panel(
            title="Syncs that succeeded",
            says="Share of the syncs in the time shown, by integration; red below 95 %.",
            asks=(
                Ask(
                    share(
                        ALL.happened(JobMetrics.SYNC_RUNS, _WELL, by=_INTEGRATION),
                        ALL.happened(JobMetrics.SYNC_RUNS, by=_INTEGRATION),
                    ),
                ),
            ),
            unit=Unit.SHARE,
            kind=Kind.FIGURE,
            width=6,
            steps=(Step(0, "red"), Step(0.95, "orange"), Step(0.99, "green")),
            most=1,
        ),
        Panel(
            title="Failed syncs",
            says="Failures in the time shown, by integration and type of error.",
            asks=(Ask(ALL.happened(JobMetrics.SYNC_FAILURES, by=(*_INTEGRATION, Core.ERROR_TYPE)), sure=False),),
            unit=Unit.COUNT,
            kind=Kind.BARS,
            width=6,
            alerts=("SyncFailures",),
        ),
        Panel(
            title="Time since the last sync",
            says="How long ago each integration last synced well.",
            asks=(Ask(SERVICES.age(JobMetrics.SYNC_LAST_SUCCESS, by=_INTEGRATION)),),
            unit=Unit.AGE,
            kind=Kind.FIGURE,
            width=6,
        ),
        Panel(
            title="How long syncs take",
            says="The 95th percentile of one sync, by integration.",
            asks=seconds(SERVICES, JobMetrics.SYNC_DURATION, by=_INTEGRATION),
            unit=Unit.SECONDS,
            width=6,
        ),
    ),
)

BOARD: Final = Dashboard(
    uid="otelkit-memory",
    title="Memory and retrieval",
    says="Retrieval, embeddings, vector search and the syncs that feed them.",
    rows=(_RETRIEVAL, _MODELS, _VECTORS, _SYNCS),
)
