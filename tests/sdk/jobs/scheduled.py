"""Functions for APScheduler: a pool of processes finds them by their names."""


def tidy(whom):
    pass


def broken(whom):
    1 / 0  # noqa: B018


async def atidy(whom):
    pass
