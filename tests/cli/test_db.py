"""``otelkit db``: what goes out comes in again, what is wrong is said, what is half done is not left lying about."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from otelkit.cli.main import main
from otelkit.mapping.otlp import decode_metrics, encode_logs, encode_spans
from otelkit.model import LogRecord, Resource, Scope, Span, SpanEvent, SpanLink
from otelkit.server.config import ServerConfig
from otelkit.server.runtime import Server
from otelkit.server.storage import records
from otelkit.server.storage.database import Database

OLD = Path(__file__).parents[1] / "server" / "data" / "version1.db.xz"
FIRST = 1_767_258_000 * 10**9  # when the records of that file begin; they go on for three hours
SPAN = f"from={FIRST // 10**6}&to={(FIRST + 3 * 3600 * 10**9) // 10**6 + 60_000}"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of this version with 640 traces, 160 log records and 30 points, closed."""
    path = tmp_path / "store.db"
    path.write_bytes(lzma.decompress(OLD.read_bytes()))
    Database(str(path)).close()
    return path


def db(*words: object) -> int:
    return main(["db", *map(str, words)])


def serving(path: Path) -> Server:
    return Server(ServerConfig(port=0, database=str(path)))


def ask(server: Server, path: str) -> Any:
    with urllib.request.urlopen(server.url + path, timeout=30) as answer:
        return json.load(answer)


def post(server: Server, path: str, body: bytes, content_type: str = "application/x-protobuf") -> None:
    request = urllib.request.Request(server.url + path, body, {"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def answers(path: Path) -> dict[str, Any]:
    """Return what the API says of everything, without what is about the moment of asking."""
    with serving(path) as server:
        names = ("overview", "facets", "models", "services", "steps", "logs", "traces")
        paths = [f"/api/{name}?{SPAN}" for name in names]
        paths += [f"/api/traces?{SPAN}&{more}" for more in ("sort=slowest", "sort=errors", "q=order", "user=u-3")]
        paths += [f"/api/logs?{SPAN}&q=line", f"/api/metrics/points?name=timers.started&{SPAN}", "/api/metrics"]
        found = {path: ask(server, path) for path in paths}
        for row in found[f"/api/traces?{SPAN}"]["traces"][::5]:
            one = f"/api/traces/{row['trace_id']}"
            found[one] = ask(server, one)
        found["stored"] = ask(server, "/api/status")["stored"]
        return {path: rounded(answer) for path, answer in found.items()}


NUMBERED = {"next_cursor", "newer_cursor", "id"}  # by the order of arrival


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        value = {name: item for name, item in value.items() if name not in NUMBERED}
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def test_what_goes_out_comes_in_again(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, out, first, fresh = (tmp_path / name for name in ("old.jsonl.gz", "all.jsonl.gz", "first.db", "fresh.db"))
    assert db("export", old, "--db", store) == 0
    assert "2,763 records written" in capsys.readouterr().err
    assert db("import", old, "--db", first) == 0
    assert "2,573 spans, 160 logs, 30 points" in capsys.readouterr().err
    before = answers(first)
    assert len(before) > 20
    assert db("export", out, "--db", first) == 0
    assert db("import", out, "--db", fresh) == 0
    assert answers(fresh) == before
    assert db("import", out, old, "--db", fresh) == 0  # again: nothing changes
    assert answers(fresh) == before
    # What the earlier version's store answers, but for the news of errors, which that version did not tell.
    told = re.compile(r"errors|/logs|/traces/|stored").search
    known = {path: answer for path, answer in answers(store).items() if not told(path)}
    assert len(known) > 10
    assert {path: before[path] for path in known} == known


def test_every_part_of_a_record_survives(tmp_path: Path) -> None:
    resource = Resource({"service.name": "shop", "deployment.environment.name": "test", "host.name": "h"})
    base = time.time_ns() - 10**10
    span = Span(
        trace_id=os.urandom(16),
        span_id=os.urandom(8),
        parent_id=os.urandom(8),
        name="work",
        kind=1,
        start=base,
        end=base + 5,
        status=2,
        status_message="it broke",
        attributes={"a": 1, "b": [1.5, True, "x"], "c": {"d": None}, "e": b"\x00\xff", "f": 2**62},
        events=(SpanEvent("event", base + 1, {"k": "v"}),),
        links=(SpanLink(os.urandom(16), os.urandom(8), {"why": "retry"}),),
        resource=resource,
        scope=Scope("lib", "2"),
        flags=0x301,
        trace_state="a=b",
        dropped_attributes=3,
    )
    log = LogRecord(base, 0, 13, "WARN", "body", {"n": 1}, "an.event", span.trace_id, span.span_id)
    metrics = {"resourceMetrics": [{"scopeMetrics": [{"metrics": METRICS}]}]}
    points = json.dumps(metrics).replace('"TIME"', f'"{base}"').encode()
    with serving(tmp_path / "a.db") as server:
        post(server, "/v1/traces", encode_spans([span]))
        post(server, "/v1/logs", encode_logs([log]))
        post(server, "/v1/metrics", points, "application/json")
    assert db("export", tmp_path / "out.jsonl", "--db", tmp_path / "a.db") == 0
    assert db("import", tmp_path / "out.jsonl", "--db", tmp_path / "b.db") == 0
    first, second = (everything(tmp_path / name) for name in ("a.db", "b.db"))
    assert first == second
    (kept,) = first["spans"]
    assert kept == span
    assert len(first["metrics"]) == len(decode_metrics(points, json=True).records) == 5


def test_logs_without_an_id_of_their_own_are_read_in_once(tmp_path: Path) -> None:
    path, out = tmp_path / "a.db", tmp_path / "out.jsonl"
    with serving(path) as server:
        post(server, "/v1/logs", encode_logs([LogRecord(FIRST, 0, 9, "INFO", "said twice")] * 2))
    assert db("export", out, "--db", path) == 0
    before = everything(path)
    assert db("import", out, "--db", path) == 0
    assert everything(path) == before
    assert len(before["logs"]) == 2


def test_what_was_deleted_for_its_age_is_not_counted_again(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "all.jsonl"
    assert db("export", out, "--db", store) == 0
    half = FIRST + 5400 * 10**9
    with Server(ServerConfig(port=0, database=str(store), keep=int(time.time() - half / 10**9))) as server:
        while server.retention.step() is not None:
            pass
        before = ask(server, f"/api/overview?{SPAN}")
    capsys.readouterr()
    assert db("import", out, "--db", store) == 0
    assert "too_old" in capsys.readouterr().err
    with serving(store) as server:
        assert ask(server, f"/api/overview?{SPAN}")["figures"] == before["figures"]


def everything(path: Path) -> dict[str, list[Any]]:
    database = Database(str(path))
    with database.reading() as connection:
        found = {
            name: [record for batch in records.stored(connection, name, 0, 2**63 - 1) for record in batch]
            for name in records.SIGNALS
        }
    database.close()
    return found


_POINT = {"timeUnixNano": "TIME", "startTimeUnixNano": "5"}
METRICS = [
    {"name": "g", "gauge": {"dataPoints": [{**_POINT, "asDouble": 1.5}]}},
    {"name": "s", "sum": {"dataPoints": [{**_POINT, "asInt": "3"}], "aggregationTemporality": 1, "isMonotonic": True}},
    {"name": "h", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
        {**_POINT, "count": "3", "sum": 4.5, "min": 1, "explicitBounds": [1, 2], "bucketCounts": ["1", "1", "1"],
         "attributes": [{"key": "k", "value": {"stringValue": "v"}}],
         "exemplars": [{"timeUnixNano": "7", "asDouble": 2.5, "traceId": "0af7651916cd43dd8448eb211c80319c",
                        "spanId": "b7ad6b7169203331"}]}]}},
    {"name": "e", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [
        {**_POINT, "count": "4", "scale": 2, "zeroCount": "1", "positive": {"offset": 3, "bucketCounts": ["1", "2"]},
         "negative": {"offset": -1, "bucketCounts": []}}]}},
    {"name": "q", "summary": {"dataPoints": [
        {**_POINT, "count": "2", "sum": 3, "quantileValues": [{"quantile": 0.5, "value": 1.25}]}]}},
]  # fmt: skip


def test_only_a_signal_and_a_time(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "logs.jsonl"
    words = ("--signal", "logs", "--from", "2026-01-01T10:00Z", "--to", "2026-01-01T11:00Z", "--format", "jsonl")
    assert db("export", out, "--db", store, *words) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert 40 < len(rows) < 70
    assert {row["signal"] for row in rows} == {"logs"}
    assert all(FIRST + 3600 * 10**9 <= row["time"] < FIRST + 7200 * 10**9 for row in rows)
    assert rows[0]["resource"] == {"service.name": "shop", "deployment.environment.name": "test"}
    assert db("import", out, "--db", tmp_path / "fresh.db") == 2
    assert "export with --format otlp" in capsys.readouterr().err


def test_export_to_the_standard_output(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert db("export", "-", "--db", store, "--signal", "metrics") == 0
    (request,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(decode_metrics(json.dumps(request).encode(), json=True).records) == 30


def test_parquet(store: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert db("export", tmp_path / "tables", "--db", store, "--format", "parquet") == 0
    spans = parquet.read_table(tmp_path / "tables" / "spans.parquet").to_pylist()
    assert len(spans) == 2573
    assert json.loads(spans[-1]["attributes"])["http.route"] == "/chat"
    assert parquet.read_table(tmp_path / "tables" / "metrics.parquet").num_rows == 30
    assert parquet.read_table(tmp_path / "tables" / "logs.parquet").column("severity").to_pylist()[0] in (9, 13, 17)


def test_parquet_without_its_library_says_how(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert db("export", tmp_path / "tables", "--db", store, "--format", "parquet") == 2
    assert "pip install 'pyarrow>=15'" in capsys.readouterr().err
    assert not (tmp_path / "tables").exists()


WRONG = {
    "nothing.json": (None, "cannot be read: No such file"),
    "text.json": (b"hello\nworld\n", "not JSON"),
    "other.json": (b'{"rows": []}\n', "not an OTLP export request"),
    "list.json": (b"[1, 2]\n", "not an OTLP export request"),
    "shape.json": (b'{"resourceSpans": 7}\n', "line 1: resourceSpans is not a list"),
    "half.json.gz": (gzip.compress(b'{"resourceSpans": []}\n' * 50)[:-9], "cannot be read"),
    "late.jsonl": (b'{"resourceSpans": []}\n{"resourceSpans": \n', "line 2: not JSON"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_said(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    content, told = WRONG[name]
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert db("import", path, "--db", tmp_path / "fresh.db") == 2
    said = capsys.readouterr().err
    assert told in said
    assert name in said
    assert "Traceback" not in said


def test_one_document_over_many_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pretty.json"
    bad = {"traceId": "zz", "spanId": "b7ad6b7169203331", "name": "x"}
    good = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "x",
            "startTimeUnixNano": "1767258000000000000", "endTimeUnixNano": "1767258000000000000"}  # fmt: skip
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [good, bad]}]}]}, indent=2))
    assert db("import", path, "--db", tmp_path / "fresh.db") == 0
    said = capsys.readouterr().err
    assert "1 spans; rejected 1: " in said


def test_stats_beside_a_server(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(store):
        assert db("stats", "--db", store) == 0
        told = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line}
        assert told["trace"][0] == "640"
        assert told["span"][0] == "2,573"
        assert told["all"][1] == "MB"
        assert db("compact", "--db", store) == 2
        assert "already open in another server" in capsys.readouterr().err
        assert db("import", OLD, "--db", store) == 2
        assert "already open in another server" in capsys.readouterr().err


def test_backup_beside_a_server_and_compact_after_deletion(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.db"
    with serving(store):
        assert db("backup", copy, "--db", store) == 0
    assert copy.stat().st_mode & 0o077 == 0
    assert db("backup", copy, "--db", store) == 2
    assert "File exists" in capsys.readouterr().err
    assert answers(copy) == answers(store)
    database = Database(str(copy))
    with database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM payload WHERE id > 20")
    database.close()
    before = copy.stat().st_size
    assert db("compact", "--db", copy) == 0
    assert copy.stat().st_size < before * 0.9


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for act in (["stats"], ["export", tmp_path / "out"], ["backup", tmp_path / "out"]):
        assert db(*act, "--db", tmp_path / "none.db") == 2
        assert "there is no" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SystemExit):
        db("export", "out", "--from", "yesterday")
    assert "2026-01-31T12:00" in capsys.readouterr().err


def test_an_interrupted_export_leaves_nothing(store: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "out.jsonl.part"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "otelkit.cli", "db", "export", str(tmp_path / "out.jsonl"), "--db", str(store)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with fifo.open("rb") as reader:  # it writes until nobody reads any more, so it is at work for sure
        assert reader.read(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    assert not list(tmp_path.glob("out*"))
