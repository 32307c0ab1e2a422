"""Of several instrumentations of one library one is chosen, and the choice is said."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from otelkit.sdk.integrations.libraries import choose
from otelkit.sdk.integrations.workers import configured_workers


def point(name: str, distribution: str) -> EntryPoint:
    class Distribution:
        name = distribution

    made = EntryPoint(name, f"{distribution}:Instrumentor", "opentelemetry_instrumentor")
    vars(made)["dist"] = Distribution()
    return made


GENAI = "opentelemetry-instrumentation-genai-openai"
OPENINFERENCE = "openinference-instrumentation-openai"
TRACELOOP = "opentelemetry-instrumentation-openai"
POINTS = [
    point("openai", TRACELOOP),
    point("openai", OPENINFERENCE),
    point("openai", GENAI),
    point("httpx", "opentelemetry-instrumentation-httpx"),
    point("fastapi", "opentelemetry-instrumentation-fastapi"),
]


def names(chosen: list[EntryPoint]) -> list[str]:
    return [item.dist.name for item in chosen if item.dist is not None]


def test_one_a_library_best_first_and_said() -> None:
    chosen, said = choose(POINTS, ())
    assert names(chosen) == ["opentelemetry-instrumentation-httpx", GENAI]
    (sentence,) = said
    assert sentence.startswith(f"openai: using {GENAI}, not {OPENINFERENCE}, {TRACELOOP}")


@pytest.mark.parametrize(
    ("disabled", "expected"),
    [
        ((GENAI,), ["opentelemetry-instrumentation-httpx", OPENINFERENCE]),
        (("openai",), ["opentelemetry-instrumentation-httpx"]),
        ((GENAI, OPENINFERENCE, "httpx"), [TRACELOOP]),
    ],
)
def test_disabled_by_library_or_package(disabled: tuple[str, ...], expected: list[str]) -> None:
    assert names(choose(POINTS, disabled)[0]) == expected


def test_jobs_are_traced_once() -> None:
    contrib = "opentelemetry-instrumentation-celery"
    assert names(choose([point("celery", contrib)], ())[0]) == []
    assert names(choose([point("celery", contrib)], ("otelkit-celery",))[0]) == [contrib]
    assert names(choose([point("celery", contrib)], ("celery",))[0]) == []


@pytest.mark.parametrize(
    ("argv", "environ", "workers"),
    [
        (["uvicorn", "app:app"], {}, 1),
        (["uvicorn", "app:app", "--workers", "4"], {}, 4),
        (["python", "-m", "uvicorn", "app:app", "--workers=3"], {}, 3),
        (["uvicorn", "app:app"], {"WEB_CONCURRENCY": "2"}, 2),
        (["gunicorn", "-w", "4", "app:app"], {}, 4),
        (["gunicorn", "-w4", "app:app"], {}, 4),
        (["gunicorn", "app:app"], {"GUNICORN_CMD_ARGS": "--workers 5"}, 5),
        (["fastapi", "run", "--workers", "2"], {}, 2),
        (["celery", "-w", "9"], {}, 1),
        (["uvicorn", "app:app", "--app-dir", "/srv/shop-w2"], {}, 1),
        ([], {}, 1),
    ],
)
def test_workers_as_configured(argv: list[str], environ: dict[str, Any], workers: int) -> None:
    assert configured_workers(argv, environ) == workers
