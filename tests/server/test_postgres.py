"""What only PostgreSQL can do or spoil: several servers on one database, a server that goes away, a password."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_support import MS, Client, chat_trace, everything, make_span, rounded

from otelkit.cli.main import main
from otelkit.errors import SettingsError, StorageError
from otelkit.mapping.otlp import encode_spans
from otelkit.model import LogRecord, Span
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from tests.postgres_support import PASSWORD, PostgresServer

STORES = ("postgres",)

_SERVER = """
import sys
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from tests.postgres_support import PASSWORD, PostgresServer
server = Server(ServerConfig(port=0, database=sys.argv[1]))
print(server.url, flush=True)
server.run()
"""


@pytest.fixture
def two_servers(postgres: PostgresServer) -> Iterator[tuple[str, list[Client]]]:
    """Two processes on one database."""
    location = postgres.new_database()
    command = [sys.executable, "-c", _SERVER, location]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    clients = []
    for process in processes:
        assert process.stdout is not None
        clients.append(Client(process.stdout.readline().strip()))
    yield location, clients
    for process in processes:
        process.terminate()
        assert process.wait(20) == 0


def nested_call(trace: list[Span]) -> Span:
    """Make an outer span that restates the trace's model call."""
    call = trace[2]
    return call._replace(span_id=os.urandom(8), name="ChatOpenAI", start=call.start - MS, end=call.end + MS)


def test_two_servers_count_as_one(two_servers: tuple[str, list[Client]]) -> None:
    location, clients = two_servers
    rng = random.Random(11)
    traces = []
    for number in range(60):
        trace = chat_trace(f"question {number}", model=rng.choice(["gpt-4o-mini", "mistral-nemo-ft"]))
        outer = nested_call(trace)
        traces.append([*trace[:2], trace[2]._replace(parent_id=outer.span_id), trace[3], outer])
    halves: list[list[list[Span]]] = [[], []]
    for at in range(0, len(traces), 3):
        mixed = [span for trace in traces[at : at + 3] for span in trace]
        rng.shuffle(mixed)
        halves[0].append(mixed[::2])
        halves[1].append(mixed[1::2])

    def send(client: Client, batches: list[list[Span]]) -> None:
        for batch in batches:
            client.send(batch)

    threads = [threading.Thread(target=send, args=pair) for pair in zip(clients, halves, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clients[0].send(halves[1][0])  # a retry that reaches the other server
    stored = [client.ask("/api/status")["stored"] for client in clients]
    assert stored[0] == stored[1] == {"spans": 300, "traces": 60, "logs": 0, "points": 0}
    with Server(ServerConfig(port=0)) as alone:
        for trace in traces:
            Client(alone.url).send(trace)
        with Server(ServerConfig(port=0, database=location)) as reader:
            assert everything(reader) == everything(alone)
            hour = f"from={time.time_ns() // MS - 3_600_000}&to={time.time_ns() // MS}"
            for name in ("models", "services", "steps"):
                shared, single = (Client(server.url).ask(f"/api/{name}?{hour}") for server in (reader, alone))
                for row in (*shared["services"], *single["services"]) if name == "services" else ():
                    del row["requests_per_s"]  # depends on the moment of asking
                assert rounded({**shared, "range": None}) == rounded({**single, "range": None})


def test_logs_and_points_of_two_servers_are_stored_once(two_servers: tuple[str, list[Client]]) -> None:
    _, clients = two_servers
    records = [LogRecord(time.time_ns() - at * MS, 0, 9, "INFO", f"line {at}", {"n": at}) for at in range(40)]
    for at in range(0, 40, 4):
        for client in clients:
            client.send_logs(records[at : at + 4])
    for client in clients:
        assert client.ask("/api/status")["stored"]["logs"] == 40
        assert len(client.ask("/api/logs?limit=100")["logs"]) == 40


def test_a_database_that_goes_away_comes_back(postgres: PostgresServer) -> None:
    postgres = PostgresServer(postgres.programs)  # one of its own, which may be stopped
    try:
        with Server(ServerConfig(port=0, database=postgres.new_database())) as server:
            client = Client(server.url)
            first, second = chat_trace("before"), chat_trace("while it is away")
            client.send(first)
            postgres.stop()
            refused = client.post("/v1/traces", encode_spans(second))
            assert (refused.status, refused.headers["retry-after"]) == (503, "5")
            assert client.get("/healthz").status == 503
            asked = client.get("/api/traces")
            assert asked.status == 503
            assert PASSWORD not in (refused.body + asked.body).decode("utf-8", "replace")
            postgres.start()
            client.send(second)
            assert client.get("/healthz").status == 200
            assert {row["title"] for row in client.ask("/api/traces")["traces"]} == {"before", "while it is away"}
            assert client.ask("/api/status")["stored"]["spans"] == 8
    finally:
        postgres.remove()


def test_the_password_is_never_shown(postgres: PostgresServer, caplog: pytest.LogCaptureFixture) -> None:
    location = postgres.new_database()
    config = ServerConfig(port=0, database=location)
    assert PASSWORD not in repr(config)
    with Server(config) as server:
        assert PASSWORD not in Client(server.url).get("/api/status").body.decode()
        assert server.database.location.startswith("postgresql://otelkit@127.0.0.1:")
    wrong = postgres.url("nosuch", password="hunter2")
    with pytest.raises(StorageError, match="cannot be reached") as refused:
        Server(ServerConfig(port=0, database=wrong))
    assert "hunter2" not in str(refused.value)
    with pytest.raises(SettingsError, match="neither a file nor an address") as unread:
        Server(ServerConfig(port=0, database="postgresql://otelkit:hunter2@host:port/name"))
    assert "hunter2" not in str(unread.value)
    assert PASSWORD not in caplog.text


def test_the_command_says_where_the_data_is_without_the_password(postgres: PostgresServer) -> None:
    environ = {**os.environ, "OTELKIT_DATABASE_URL": postgres.new_database(), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "otelkit.cli", "serve", "--port", "0"]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    shown = [process.stdout.readline() for _ in range(6)]
    assert Client(shown[2].split()[1]).get("/healthz").status == 200
    process.terminate()
    shown.append(process.communicate(timeout=20)[0])
    assert process.returncode == 0
    assert "postgresql://otelkit@127.0.0.1" in "".join(shown)
    assert PASSWORD not in "".join(shown)


def test_the_db_command_works_on_it(
    postgres: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = postgres.new_database(), postgres.new_database()
    out = tmp_path / "all.jsonl"

    def db(act: str, *words: str) -> int:
        return main(["db", act, *words])

    assert db("stats", "--db", first) == 2
    assert "holds no telemetry yet" in capsys.readouterr().err
    with Server(ServerConfig(port=0, database=first)) as server:
        for number in range(20):
            Client(server.url).send(chat_trace(f"question {number}"))
        Client(server.url).send_logs([LogRecord(time.time_ns(), 0, 9, "INFO", "a line", {"log.record.uid": "1"})])
        assert db("stats", "--db", first) == 0
        shown = capsys.readouterr().out
        assert "span                         80" in shown
        assert db("export", str(out), "--db", first) == 0
        assert db("import", str(out), "--db", second) == 0  # beside no server, and beside one
        assert db("import", str(out), "--db", first) == 0
        with Server(ServerConfig(port=0, database=second)) as other:
            assert everything(other) == everything(server)
            assert Client(other.url).ask("/api/status")["stored"] == Client(server.url).ask("/api/status")["stored"]
    assert db("compact", "--db", first) == 0
    assert db("backup", str(tmp_path / "copy"), "--db", first) == 2
    told = capsys.readouterr()
    assert "pg_dump" in told.err
    assert PASSWORD not in shown + told.out + told.err


def test_texts_that_postgresql_cannot_hold_are_held(client: Client) -> None:
    client.send(chat_trace(**{"user.id": "u\x00ser"}))
    client.send([make_span("na\x00me"), make_span("na\x00me"), make_span("😀" * 200)])
    client.send_logs([LogRecord(time.time_ns(), 0, 9, "INFO", "zero\x00body", {"key": "a\x00b"})])
    assert {row["title"] for row in client.ask("/api/traces")["traces"]} >= {"na␀me"}
    assert {row["user"] for row in client.ask("/api/traces")["traces"]} == {"u␀ser", None}
    assert client.ask("/api/logs")["logs"][0]["attributes"] == {"key": "a\x00b"}


WORDS = {"istanbul": 1, "ISTAN": 1, "creme": 1, "crème brul": 1, "rême": 1, "u_17": 1, "brul creme": 0, "stanbul": 0}


@pytest.mark.parametrize(("words", "found"), WORDS.items())
def test_words_are_found_as_in_a_file(client: Client, words: str, found: int) -> None:
    texts = ["Is Istanbul far from u_17?", "Crème brûlée, please: RÊME"]
    with Server(ServerConfig(port=0)) as file:
        for url in (client.url, file.url):
            each = Client(url)
            for text in texts:
                each.send(chat_trace(text, answer="-"))
            rows = each.ask(f"/api/traces?q={urllib.parse.quote(words)}")["traces"]
            assert len(rows) == found, (url == file.url, words)


def test_a_price_set_on_one_server_holds_on_the_other(two_servers: tuple[str, list[Client]]) -> None:
    _, (first, second) = two_servers
    price = {"provider": "openai", "model": "mistral-nemo-ft", "input": 1.0, "output": 2.0}
    second.send([make_span("before")])
    assert (
        first.request("PUT", "/api/prices", json.dumps(price).encode(), Content_Type="application/json").status == 200
    )
    second.send([make_span("notices that another has written")])
    second.send(chat_trace(model="mistral-nemo-ft"))
    (row,) = [row for row in second.ask("/api/traces")["traces"] if row["llm_calls"]]
    assert row["cost_usd"] is not None
