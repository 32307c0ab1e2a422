"""A Celery application as somebody would write it: nothing of otelkit in it."""

import os
import signal
import time

from celery import Celery

app = Celery("shop", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(broker_connection_retry_on_startup=True, result_expires=60, task_default_queue="orders")


@app.task
def add(a, b):
    return a + b


@app.task
def fail(secret):
    raise ValueError(f"no order for {secret}")


@app.task(bind=True, autoretry_for=(ConnectionError,), default_retry_delay=0, retry_backoff=False, max_retries=2)
def flaky(self):
    if self.request.retries < 2:
        raise ConnectionError("not yet")


@app.task
def die():
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)
