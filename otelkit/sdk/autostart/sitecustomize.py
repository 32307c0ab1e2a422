"""Start telemetry before the application's first line; then the ``sitecustomize`` the environment has of its own."""

import importlib.machinery
import importlib.util
import os
import sys


def _own_sitecustomize() -> None:
    """Python takes the first ``sitecustomize`` it finds, which is this one: run the one it would have found."""
    here = os.path.dirname(os.path.abspath(__file__))
    elsewhere = [path for path in sys.path if os.path.abspath(path or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _start_telemetry() -> None:
    try:
        from otelkit.sdk.lifecycle import init

        init()
    except Exception as error:  # noqa: BLE001 - the application starts whatever telemetry does
        print(f"otelkit: telemetry is off: {error}", file=sys.stderr)  # noqa: T201 - logging is not configured yet


_own_sitecustomize()
_start_telemetry()
