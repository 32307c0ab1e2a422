"""A service that numbers what it sends and gives its own account: ``python -m tests.stack.emitter NAME SECONDS RATE``.

Each tick is one log line, one product event, one span of a tool and one count. The account is what a test compares
every backend with: how many ticks there were, what the SDK gave up, and how long the telemetry calls of a tick took.
"""

from __future__ import annotations

import json
import logging
import sys
import time

from opentelemetry import trace

import otelkit
from otelkit.sdk import bootstrap

EVENT = "tick.made"
COUNTER = "emitter.ticks"

log = logging.getLogger("emitter")


def main() -> None:
    seconds, rate = float(sys.argv[2]), float(sys.argv[3])
    otelkit.init(service=sys.argv[1], shutdown_timeout=60.0, flush_interval=0.2)
    otelkit.define_event(EVENT, "A tick.", {"n": int})
    ticks = otelkit.counter(COUNTER)
    took: list[float] = []
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        started = time.perf_counter()
        with otelkit.session(user_id="u-1", consent=["analytics.usage_patterns"]):
            tick(number)
            otelkit.track(EVENT, n=number)
        ticks.add(1)
        took.append(time.perf_counter() - started)
        number += 1
        time.sleep(1 / rate)
    in_time = otelkit.flush(120.0)
    took.sort()
    lost = {f"{signal} {reason}": count for (signal, reason), count in bootstrap.lost().items()}
    print(
        json.dumps({"ticks": number, "flushed": in_time, "lost": lost, "p99": took[len(took) * 99 // 100]}), flush=True
    )
    otelkit.shutdown(60.0)


@otelkit.traced_tool
def tick(number: int) -> int:
    trace.get_current_span().set_attribute("n", number)
    log.info("tick %d", number, extra={"n": number})
    return number


if __name__ == "__main__":
    main()
