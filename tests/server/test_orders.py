"""Changes asked of the API: done by the writer's thread, in its transaction, and only as JSON."""

from __future__ import annotations

import threading

import pytest
from server_support import Client, chat_trace
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from otelkit.errors import StorageError
from otelkit.server.api.asking import Context, Order, orders
from otelkit.server.pipeline import BusyError
from otelkit.server.runtime import Server
from otelkit.server.storage import schema


def test_what_is_run_is_committed_in_turn_by_the_writer(server: Server, client: Client) -> None:
    names = []

    def note(connection: object) -> int:
        names.append(threading.current_thread().name)
        connection.execute(schema.meta.insert().values(key="noted", value="1"))  # type: ignore[attr-defined]
        return 7

    before = server.pipeline.progress.revision
    assert server.pipeline.run(note).result(5) == 7
    between = server.pipeline.progress.revision
    client.send(chat_trace())
    assert names == ["otelkit-writer"]
    # More than one each when the server's own work at the start falls in between.
    assert before < between < server.pipeline.progress.revision
    with server.database.reading() as connection:
        assert connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "noted")).scalar() == "1"


def test_what_raises_changes_nothing_and_the_writer_goes_on(server: Server, client: Client) -> None:
    def fail(connection: object) -> None:
        connection.execute(schema.meta.insert().values(key="noted", value="1"))  # type: ignore[attr-defined]
        raise KeyError("no")

    with pytest.raises(KeyError):
        server.pipeline.run(fail).result(5)
    client.send(chat_trace())
    with server.database.reading() as connection:
        assert connection.execute(select(schema.meta.c.value).where(schema.meta.c.key == "noted")).scalar() is None
    assert client.ask("/api/traces")["total"] == 1
    server.stop()
    with pytest.raises(BusyError):
        server.pipeline.run(fail)


def test_orders_take_json_objects_and_known_fields_only(server: Server) -> None:
    def echo(order: Order) -> dict[str, object]:
        body = order.fields(("a", "b"))
        if body.get("a") == "full":
            raise StorageError("the disk is full")
        return body

    context = Context(server.database, server.pipeline, server.status, server.repricing)
    answer = orders(echo)

    async def endpoint(request: Request) -> Response:
        return await answer(context, request)

    route = Route("/", endpoint, methods=["POST"])
    asked = TestClient(Starlette(routes=[route]))
    assert asked.post("/", json={"a": 1}).json() == {"a": 1}
    assert asked.post("/", content=b'{"a": 1}', headers={"content-type": "text/plain"}).status_code == 415
    assert asked.post("/", data={"a": "1"}).status_code == 415
    json = {"content-type": "application/json"}
    for body in (b"{", b"[1]", b"[" * 60_000, b" " * 70_000):
        wrong = asked.post("/", content=body, headers=json)
        assert (wrong.status_code, wrong.json()["error"]["parameter"]) == (400, "body")
    wrong = asked.post("/", json={"c": 1})
    assert (wrong.status_code, wrong.json()["error"]["allowed"]) == (400, ["a", "b"])
    assert asked.post("/", json={"a": "full"}).status_code == 503
