"""A process that says what it has reported of the machine, until it is told to end."""

from __future__ import annotations

import sys
import time

import otelkit

otelkit.init(service="worker")
if "fork" in sys.argv:
    import os

    if os.fork():
        time.sleep(1.5)
        os.kill(os.getpid(), 9)
print("ready", flush=True)
for _ in sys.stdin:
    otelkit.flush()
    print("flushed", flush=True)
time.sleep(60)
