"""``python -m benchmarks [NAME …] [--json FILE]``: the README's figures, as ratios in one run."""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import collector, decorated, delay, footprint, harness, machine, store, web_request

BENCHMARKS: dict[str, tuple[str, Callable[[], harness.Report]]] = {
    "call": ("a @traced_tool call against the bare SDK", decorated.measure_all),
    "request": ("a FastAPI request: bare, native telemetry, contrib, otelkit", web_request.measure_all),
    "machine": ("the machine's and the process's figures every 10 s", machine.measure_all),
    "ingest": ("durable spans a second against bare SQLite", store.ingest),
    "queries": ("the page's questions at 200,000 spans", store.queries),
    "collector": ("the Collector's standard profile against otlp → debug", collector.measure_all),
    "delay": ("from the service to Prometheus, Loki, Jaeger and the server", delay.measure_all),
    "import": ("what `import otelkit` costs", footprint.imports),
    "size": ("installed size", footprint.sizes),
}


def main() -> None:
    """Run all benchmarks, or those named."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Without names, all of: " + "; ".join(f"{name} ({what})" for name, (what, _) in BENCHMARKS.items()),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--readme", type=Path, metavar="FILE", help="write the tables between its bench marks")
    options = parser.parse_args()
    if unknown := set(options.names) - BENCHMARKS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    started, figures = time.monotonic(), {}
    texts = [f"Python {platform.python_version()}, {len(harness.CORES) or '?'} cores; medians of interleaved rounds.\n"]
    print(texts[0])
    for name in options.names or BENCHMARKS:
        report = BENCHMARKS[name][1]()
        figures[name] = report.data
        texts.append(report.markdown())
        print(texts[-1], flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if options.readme:
        _put(options.readme, "\n".join(texts))
    print(f"{time.monotonic() - started:.0f} s")


def _put(readme: Path, tables: str) -> None:
    text = readme.read_text()
    before, begin, rest = text.partition("<!-- bench:begin -->\n")
    _, end, after = rest.partition("<!-- bench:end -->")
    if not (begin and end):
        raise SystemExit(f"{readme} has no lines <!-- bench:begin --> and <!-- bench:end -->")
    readme.write_text(f"{before}{begin}{tables}\n{end}{after}")


if __name__ == "__main__":
    main()
