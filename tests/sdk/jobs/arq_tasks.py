"""arq functions and worker settings as somebody would write them: nothing of otelkit in them."""

import asyncio
import os
import signal

from arq import Retry, func
from arq.connections import RedisSettings

REDIS = RedisSettings.from_dsn(os.environ["BROKER"])


async def add(ctx, a, b):
    return a + b


async def fail(ctx, secret):
    raise ValueError(f"no order for {secret}")


async def flaky(ctx):
    if ctx["job_try"] < 3:
        raise Retry(defer=0)


async def slow(ctx):
    await asyncio.sleep(30)


async def die(ctx):
    if ctx["job_try"] == 1:
        os.kill(os.getpid(), signal.SIGKILL)


class WorkerSettings:
    functions = (add, fail, flaky, func(slow, timeout=0.3), die)
    redis_settings = REDIS
    job_timeout = 2
    poll_delay = 0.05
