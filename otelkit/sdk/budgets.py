"""``otelkit.budget``: the public door; what it needs (``sdk.budget_checks``) is imported when it is called."""

from __future__ import annotations

from pathlib import Path

from otelkit.errors import SettingsError

__all__ = ["budget"]


def budget(
    target: str,
    *,
    p50: str | float | None = None,
    p95: str | float | None = None,
    p99: str | float | None = None,
    mean: str | float | None = None,
    tokens: int | None = None,
    path: str | Path | None = None,
    bytes: str | int | None = None,
) -> None:
    """Declare what a route may take, or how large static files may be; a second one for a target replaces the first.

    ::

        otelkit.budget("POST /chat", p95="2s", tokens=4000)
        otelkit.budget("static", path="dist/", bytes="300KB")

    Exported as ``otelkit.budget.limit``, ``.value`` and ``.exceeded``, and shown red on the page where it is exceeded.

    Args:
        target: a method and a route as the application declares it; for files a name of your own.
        p50, p95, p99, mean: of the duration of requests in the last five minutes: ``"800ms"``, ``"2s"``, ``"1min"``, or
            seconds.
        tokens: input and output of all model calls of a request together, on average in the last five minutes.
        path: a file, a folder, or a pattern such as ``dist/*.js``.
        bytes: how large they may be in all: ``"300KB"``, ``"2MB"``, or bytes.

    Raises:
        SettingsError: a target or a unit is wrong; the message says what is allowed.
    """
    from otelkit.sdk.budget_checks import declare
    from otelkit.settings.budgets import budget_of

    given = {"p50": p50, "p95": p95, "p99": p99, "mean": mean, "tokens": tokens, "path": path, "bytes": bytes}
    try:
        made = budget_of(target, {name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise SettingsError(f"budget({str(target)[:80]!r}): {error}") from None
    declare([made])
