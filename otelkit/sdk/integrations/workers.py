"""How many worker processes serve this application, as far as it can be seen from one of them."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from otelkit.errors import SettingsError
from otelkit.settings import Settings, current_environment

__all__ = ["configured_workers", "require_one_worker"]

_OPTION: Final = re.compile(r"(?:^|\s)(?:--workers|--worker-count|-w)(?:=|\s+)?(\d+)(?=\s|$)")


def configured_workers(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Workers that the command line (uvicorn, gunicorn …) or the environment asks for; 1 if neither does."""
    program = os.path.basename(argv[0]) if argv else ""
    words = " ".join(argv)
    serves = any(name in f"{program} {words}" for name in ("uvicorn", "gunicorn", "hypercorn", "fastapi", "granian"))
    sources = [words] if serves else []
    if "gunicorn" in words or "gunicorn" in program:
        sources.append(" ".join(shlex.split(environ.get("GUNICORN_CMD_ARGS", ""))))
    counts = [int(count) for source in sources for count in _OPTION.findall(source)]
    concurrency = environ.get("WEB_CONCURRENCY", "")
    if not counts and concurrency.isdigit():
        counts = [int(concurrency)]
    return max(counts, default=1)


def require_one_worker(settings: Settings) -> None:
    """Refuse an in-process ``/metrics`` with several workers: each would answer with a part of the truth.

    Raises:
        SettingsError: several workers are configured.
    """
    if not settings.prometheus:
        return
    # A spawned worker's own command line is multiprocessing's; it is given its parent's as sys.argv.
    workers = configured_workers([*sys.orig_argv, *sys.argv], current_environment())
    if workers > 1:
        raise SettingsError(
            f"OTELKIT_PROMETHEUS is on, but {workers} workers are configured and each would answer with its own part: "
            "switch it off and let Prometheus scrape the OpenTelemetry Collector that the workers send to."
        )
