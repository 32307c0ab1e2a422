"""Who is here, by pseudonym."""

from __future__ import annotations

import time
from typing import Any

from server_support import MS, Client, make_span

STORES = ("sqlite", "postgres")


def visit(ago: float, ms: float = 50, service: str = "", **ids: str) -> Any:
    names = {"user": "user.id", "session": "session.id"}
    attributes = {names[key]: value for key, value in ids.items()}
    return make_span("POST /chat", base=time.time_ns() - int(ago * 1000) * MS, ms=ms, kind=2, attributes=attributes)


def test_users_and_sessions_of_each_time(client: Client) -> None:
    day = 86_400
    client.send(
        [
            visit(60, user="u1", session="s1"),
            visit(90, user="u1", session="s2"),
            visit(1000, ms=900_000, user="u2", session="s3"),  # an answer that streamed until a moment ago
            visit(2000, user="u3", session="s4"),
            visit(day - 5, user="u4"),  # before the first whole hour of the day
            visit(day - 4000, user="u1"),
            visit(day + 4000, user="u5"),
            visit(7 * day - 60, user="u6"),
            visit(7 * day + 60, user="u7"),
            visit(30),
        ]
    )
    answer = client.ask("/api/present")
    assert answer["users"] == {"5m": 2, "1h": 3, "24h": 4, "7d": 6}
    assert answer["sessions"] == {"5m": 3, "1h": 4}
    assert answer["websockets"] is None
    assert client.ask("/api/present?service=shop")["users"] == answer["users"]
    assert client.ask("/api/present?service=other")["users"] is None


def test_nobody_known_is_unknown_and_nobody_here_is_none(client: Client) -> None:
    client.send([visit(30)])
    assert client.ask("/api/present") | {"now": 0} == {"now": 0, "users": None, "sessions": None, "websockets": None}
    client.send([visit(7200, user="u1", session="s1")])
    answer = client.ask("/api/present")
    assert answer["users"] == {"5m": 0, "1h": 0, "24h": 1, "7d": 1}
    assert answer["sessions"] == {"5m": 0, "1h": 0}
