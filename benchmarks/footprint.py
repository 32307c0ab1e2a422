"""What otelkit weighs: CPU of the import, bytes of the installation with all dependencies."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks import harness

ROUNDS = 9
MOST_MS = 15.0
_OTELKIT = "import otelkit"
_SDK = "import opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http.trace_exporter"
_CLOCKED = "import time; begun = time.process_time(); {}; print((time.process_time() - begun) * 1000)"
_SDK_ONLY = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")


def imports() -> harness.Report:
    """CPU of an import in fresh interpreters."""

    def measure(statement: str) -> dict[str, float]:
        command = [sys.executable, "-c", _CLOCKED.format(statement)]
        done = subprocess.run(command, cwd=harness.ROOT, capture_output=True, text=True, check=True)
        return {"ms": float(done.stdout)}

    found = harness.interleaved((_SDK, _OTELKIT), ROUNDS, measure)
    base, own = found[_SDK]["ms"], found[_OTELKIT]["ms"]
    return harness.Report(
        "Import",
        ["", "CPU", "", "more"],
        [
            ["SDK and its OTLP/HTTP exporter", "1.00×", f"{base:.0f} ms", ""],
            [_OTELKIT, harness.times(own, base), f"{own:.0f} ms", f"{own - base:+.0f} ms (at most {MOST_MS:.0f})"],
        ],
        {"sdk_ms": base, "otelkit_ms": own},
    )


def sizes() -> harness.Report:
    """Source bytes and distributions, compiled files left out."""
    found = {
        "SDK and its OTLP/HTTP exporter": _closure(Requirement(name) for name in _SDK_ONLY),
        "otelkit": _closure([Requirement("otelkit")]),
        "otelkit[server]": _closure([Requirement("otelkit[server]")]),
    }
    sums = {what: sum(map(_bytes, names)) / 1e6 for what, names in found.items()}
    base = next(iter(sums.values()))
    return harness.Report(
        "Installed size, with all dependencies",
        ["", "size", "", "distributions"],
        [
            [what, harness.times(sums[what], base), f"{sums[what]:.1f} MB", str(len(names))]
            for what, names in found.items()
        ],
        {what: {"mb": sums[what], "distributions": len(names)} for what, names in found.items()},
    )


def _closure(wanted: object) -> set[str]:
    """Everything these requirements bring, themselves included."""
    todo = [(requirement.name, frozenset(requirement.extras)) for requirement in wanted]  # type: ignore[attr-defined]
    done: set[tuple[str, frozenset[str]]] = set()
    while todo:
        item = todo.pop()
        if item in done:
            continue
        done.add(item)
        name, extras = item
        for line in importlib.metadata.requires(name) or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras or {""}):
                todo.append((needed.name, frozenset(needed.extras)))
    return {canonicalize_name(name) for name, _ in done}


def _bytes(name: str) -> int:
    if name == "otelkit":  # installed as a pointer to this checkout
        own = (harness.ROOT / "otelkit").rglob("*")
        return sum(path.stat().st_size for path in own if path.is_file() and path.suffix != ".pyc")
    files = importlib.metadata.files(name) or []
    paths = [path for path in files if path.suffix != ".pyc"]
    return sum(size for path in paths if (size := path.size if path.size is not None else _on_disk(path)))


def _on_disk(path: importlib.metadata.PackagePath) -> int:
    found = path.locate()
    return found.stat().st_size if found.exists() else 0  # type: ignore[attr-defined]
