"""Functions for RQ as somebody would write them: nothing of otelkit in them but a metric of their own."""

import os
import signal
import time

import otelkit


def add(a, b):
    otelkit.counter("sums.made").add(1)
    return a + b


def fail(secret):
    raise ValueError(f"no order for {secret}")


def flaky(folder):
    """Fail until the third time."""
    with open(os.path.join(folder, "tries"), "a+") as file:
        file.write("x")
        file.seek(0)
        if len(file.read()) < 3:
            raise ConnectionError("not yet")


def die():
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


@otelkit.traced_job("nightly report")
def report():
    return 1
