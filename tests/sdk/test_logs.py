"""logging and structlog → OpenTelemetry log records and JSON lines; never recursion, never a lost traceback."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

import otelkit
from otelkit.mapping.pseudonyms import Pseudonymiser
from otelkit.mapping.redaction import Redactor
from otelkit.sdk.convert import Converter
from otelkit.sdk.identity import IdentityGuard
from otelkit.sdk.logs import JsonFormatter, LogCapture, SharedRotatingFileHandler
from otelkit.settings import load

_exporter = InMemoryLogRecordExporter()


@pytest.fixture(scope="module", autouse=True)
def provider(logger_provider: LoggerProvider) -> None:
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(_exporter))


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "app.jsonl"


@pytest.fixture
def capture(log_file: Path, pseudonyms: Pseudonymiser) -> Iterator[LogCapture]:
    _exporter.clear()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    settings = load({}, log_file=str(log_file), log_level="info")
    made = LogCapture(settings, Redactor(), IdentityGuard(pseudonyms, "consent"))
    made.install()
    root.setLevel(logging.INFO)  # under pytest the root logger has handlers, so install() leaves its level alone
    yield made
    made.uninstall()
    root.handlers, root.level = before[0], before[1]


def exported() -> list[Any]:
    return [item.log_record for item in _exporter.get_finished_logs()]


def lines(log_file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log_file.read_text().splitlines()]


def test_record_with_extra_and_source(capture: LogCapture) -> None:
    logging.getLogger("shop.orders").warning("order %s is late", 7, extra={"order_id": 7, "who": {"a": [1, object]}})
    (record,) = exported()
    assert record.body == "order 7 is late"
    assert record.severity_text == "WARN"
    assert record.severity_number.value == 13
    assert record.attributes["order_id"] == 7
    assert record.attributes["code.function.name"] == "test_record_with_extra_and_source"
    assert record.timestamp > 1e18


def test_traceback_is_kept_and_file_is_redacted(capture: LogCapture, log_file: Path) -> None:
    try:
        raise ValueError("jane@example.com")
    except ValueError:
        logging.getLogger("shop").exception("failed for %s", "jane@example.com")
    (record,) = exported()
    assert record.attributes["exception.type"] == "ValueError"
    assert "test_traceback_is_kept" in record.attributes["exception.stacktrace"]
    (line,) = lines(log_file)
    assert line["body"] == "failed for [email]"
    assert "test_traceback_is_kept" in line["exception.stacktrace"]
    assert "jane@" not in log_file.read_text()


def test_session_and_trace_ids_are_in_the_line(capture: LogCapture, log_file: Path, pseudonyms: Pseudonymiser) -> None:
    with (
        otelkit.session(user_id="u-1", session_id="s-1", conversation_id="c-1", consent=["analytics.usage_patterns"]),
        otelkit.traced_tool("find") as step,
    ):
        logging.getLogger("shop").info("hello")
        trace_id = f"{step.span.get_span_context().trace_id:032x}"
    (line,) = lines(log_file)
    assert line["trace_id"] == trace_id
    assert line["user_id"] == pseudonyms("user", "u-1")
    assert line["session_id"] == pseudonyms("session", "s-1")
    assert line["conversation_id"] == "c-1"


def test_raw_ids_in_extra_fields_do_not_leave(capture: LogCapture, log_file: Path) -> None:
    logging.getLogger("shop").info("hello", extra={"user_id": "jane-doe", "session_id": "cookie-value"})
    text = log_file.read_text()
    assert "jane-doe" not in text
    assert "cookie-value" not in text


def test_file_and_export_hide_the_same_fields(capture: LogCapture, log_file: Path, pseudonyms: Pseudonymiser) -> None:
    extra = {
        "password": "hunter2",
        "authorization": "Zm9vOmJhcg",
        "gen_ai.input.messages": "my secret prompt",
        "request": {"headers": {"cookie": "choc-chip"}, "path": "/pay"},
        "note": "from jane@example.com",
        "user_id": "jane-doe",
        "order_id": 7,
    }
    logging.getLogger("shop").info("login of jane@example.com", extra=extra)
    (record,) = _exporter.get_finished_logs()
    as_sent = Redactor().log(Converter().log(record))  # type: ignore[arg-type]  # converting reads the same fields
    sent = IdentityGuard(pseudonyms, "consent")(as_sent.attributes)
    (line,) = lines(log_file)
    written = {key: value for key, value in line.items() if key in extra}
    assert written == {key: value for key, value in sent.items() if key in extra}
    assert written == {
        "password": "[redacted]",
        "authorization": "[redacted]",
        "request": {"headers": {"cookie": "[redacted]"}, "path": "/pay"},
        "note": "from [email]",
        "order_id": 7,
    }
    assert line["body"] == as_sent.body == "login of [email]"


def test_fields_do_not_replace_what_the_line_itself_says(
    capture: LogCapture, log_file: Path, pseudonyms: Pseudonymiser
) -> None:
    forged = {"conversation_id": "c-2", "trace_id": "0", "session_id": "s-2", "body": "x", "severity_text": "DEBUG"}
    with otelkit.session(conversation_id="c-1", session_id="s-1"), otelkit.traced_tool("find") as step:
        logging.getLogger("shop").error("hello", extra=forged)
    (line,) = lines(log_file)
    assert line["conversation_id"] == "c-1"
    assert line["session_id"] == pseudonyms("session", "s-1")
    assert line["trace_id"] == f"{step.span.get_span_context().trace_id:032x}"
    assert (line["body"], line["severity_text"]) == ("hello", "ERROR")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_values_that_cannot_be_read_take_nothing_along(
    capture: LogCapture, log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    itself: dict[str, Any] = {"a": 1}
    itself |= {"itself": itself, "list": [itself]}
    try:
        raise Mute
    except Mute as error:
        logging.getLogger("shop").exception("failed", extra={"error": error, "state": itself, 7: "seven", "": "empty"})
        logging.getLogger("shop").error(error)
    first, second = exported()
    assert (first.body, first.attributes["error"]) == ("failed", "<Mute>")
    assert first.attributes["exception.message"] == "<Mute>"
    assert "test_values_that_cannot" in first.attributes["exception.stacktrace"]
    assert lines(log_file)[0]["state"] == {"a": 1, "itself": "<dict>", "list": ["<dict>"]}
    assert lines(log_file)[0]["7"] == "seven"
    assert second.body.startswith("<Mute>")


def test_very_long_texts_are_cut_when_they_come_in(capture: LogCapture, log_file: Path) -> None:
    long = "word " * 100_000
    logging.getLogger("shop").info(long, extra={"page": long, "deep": [{"page": long}]})
    (record,) = exported()
    for text in (record.body, record.attributes["page"], record.attributes["deep"][0]["page"]):
        assert 65_536 <= len(text) < 70_000
        assert text.endswith("[cut]")
    (line,) = lines(log_file)
    assert line["body"].endswith("word …[cut]")


def test_nothing_is_lost_to_configuration(capture: LogCapture) -> None:
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"level": "INFO"}})
    quiet = logging.getLogger("quiet")
    quiet.propagate = False
    quiet.addHandler(logging.NullHandler())
    quiet.info("one")
    logging.basicConfig(force=True)
    logging.getLogger("other").warning("two")
    assert [record.body for record in exported()] == ["one", "two"]


def test_a_handler_of_the_application_that_logs_or_raises_does_no_harm(capture: LogCapture) -> None:
    class Bad(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk")

    noisy = logging.getLogger("noisy")
    noisy.addHandler(Bad())
    with pytest.raises(OSError, match="disk"):
        noisy.warning("hello")
    noisy.handlers.clear()
    assert [record.body for record in exported()] == ["hello"]


def test_no_recursion_and_no_access_lines(capture: LogCapture) -> None:
    class Loud:
        def __str__(self) -> str:
            logging.getLogger("inner").warning("from inside")
            return "loud"

    logging.getLogger("shop").warning("%s", Loud())
    for name in ("otelkit", "otelkit.sdk", "opentelemetry.sdk", "uvicorn.access"):
        logging.getLogger(name).warning("not ours to take")
    logging.getLogger("otelkit_shop").warning("an application's")
    bodies = [record.body for record in exported()]
    assert bodies.count("loud") == 1
    assert "an application's" in bodies
    assert "not ours to take" not in bodies


@pytest.mark.parametrize(
    ("logger", "level", "template", "arguments"),
    [
        ("uvicorn.error", "info", '%s - "WebSocket %s" [accepted]', ("127.0.0.1:1", "/ws/Jane?t=Jane")),
        ("uvicorn.error", "info", '%s - "WebSocket %s" 403', ("127.0.0.1:1", "/ws/Jane?t=Jane")),
        ("rq.worker", "info", "Worker %s: %s: %s (%s)", ("w1", "orders", "tasks.greet('Jane')", "job-1")),
        ("rq.worker", "info", "Successfully completed %s job in %ss on worker %s", ("greet('Jane')", 1, "w1")),
        ("arq.worker", "info", "%6.2fs → %s(%s)%s", (0.1, "job-1:greet", "'Jane'", "")),
        ("arq.worker", "info", "%6.2fs ← %s ● %s", (0.1, "job-1:greet", "'hello Jane'")),
        ("celery.worker.strategy", "info", "Task %(name)s[%(id)s] received", ({"name": "Jane", "id": 1},)),
        ("celery.pool", "warning", "TaskPool: Apply %s (args:%s kwargs:%s)", ("f", "('Jane',)", "{}")),
    ],
)
def test_lines_of_libraries_with_addresses_and_calls_are_not_taken(
    capture: LogCapture, log_file: Path, logger: str, level: str, template: str, arguments: tuple[str, ...]
) -> None:
    getattr(logging.getLogger(logger), level)(template, *arguments)
    logging.getLogger(logger).warning("other lines are")
    assert [record.body for record in exported()] == ["other lines are"]
    assert "Jane" not in log_file.read_text()


def test_arguments_of_failed_jobs_are_left_out(capture: LogCapture, log_file: Path) -> None:
    call = {"func": "tasks.greet", "arguments": ("Jane",), "kwargs": {"who": "Jane"}}
    logging.getLogger("rq.worker").error("job %s: exception raised", "job-1", extra=call)
    logging.getLogger("shop").error("of an application", extra={"arguments": "its own", "data": "its own"})
    job, own = exported()
    assert (job.attributes["func"], job.attributes.keys() & {"arguments", "kwargs"}) == ("tasks.greet", set())
    assert (own.attributes["arguments"], own.attributes["data"]) == ("its own", "its own")
    assert "Jane" not in log_file.read_text()


def test_what_celery_cannot_read_is_not_written_out(capture: LogCapture, log_file: Path) -> None:
    template = "\nReceived unregistered task of type %s.\n\nThe full contents of the message body was:\n%s\n"
    logging.getLogger("celery.worker.consumer.consumer").error(template, "shop.gone", "[['Jane'], {}]")
    (record,) = exported()
    assert record.body == "Received unregistered task of type %s."
    assert "Jane" not in log_file.read_text()


def test_wrong_arguments_keep_the_words(capture: LogCapture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logging.getLogger("shop").warning("%d things", "many")
    assert exported()[0].body == "%d things (arguments do not fit)"


def test_another_librarys_patch_stays_and_no_record_is_taken_twice(
    capture: LogCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = logging.Logger.callHandlers
    seen = []

    def theirs(logger: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        ours(logger, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", theirs)
    capture.uninstall()
    logging.getLogger("shop").warning("off")
    assert not exported()
    capture.install()
    logging.getLogger("shop").warning("on")
    assert [record.body for record in exported()] == ["on"]
    assert seen == ["off", "on"]


def test_an_unconfigured_root_logger_prints_no_more_than_before(capture: LogCapture) -> None:
    capture.uninstall()
    root, printed = logging.getLogger(), io.StringIO()
    root.handlers, log = [], logging.getLogger("shop")
    root.setLevel(logging.WARNING)
    capture.install()
    root.addHandler(logging.StreamHandler(printed))  # as a plain basicConfig() does
    log.info("one")
    log.warning("two")
    root.setLevel(logging.INFO)  # now the application asks for it
    log.info("three")
    assert [record.body for record in exported()] == ["one", "two", "three"]
    assert printed.getvalue() == "two\nthree\n"


def test_the_root_loggers_level_is_put_back_unless_it_was_set(capture: LogCapture) -> None:
    root = logging.getLogger()
    for level, after in ((None, logging.WARNING), (logging.INFO, logging.INFO)):
        capture.uninstall()
        root.handlers = []
        root.setLevel(logging.WARNING)
        capture.install()
        assert root.level == logging.INFO
        if level is not None:
            root.setLevel(level)
        capture.uninstall()
        assert root.level == after


def test_structlog_that_prints_arrives(capture: LogCapture, log_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    structlog.reset_defaults()
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    log = structlog.get_logger()
    log.info("order shipped", order=7)
    try:
        raise KeyError("x")
    except KeyError:
        log.exception("failed")
    first, second = exported()
    assert (first.body, first.attributes["order"], first.severity_text) == ("order shipped", 7, "INFO")
    assert second.severity_text == "ERROR"
    assert "KeyError" in second.attributes["exception.stacktrace"]
    assert '"order": 7' in capsys.readouterr().out  # what the application prints is as it was
    assert lines(log_file)[0]["body"] == "order shipped"


def test_structlog_through_logging_arrives_once(capture: LogCapture) -> None:
    structlog.configure(
        processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    log = structlog.get_logger("shop")
    log.warning("order late", order=8)
    try:
        raise KeyError("x")
    except KeyError as error:
        log.exception("failed")
        log.warning("failed again", exc_info=error)
    structlog.reset_defaults()
    record, *failed = exported()
    assert (record.body, record.attributes["order"]) == ("order late", 8)
    assert [one.attributes["exception.type"] for one in failed] == ["KeyError", "KeyError"]
    assert all("test_structlog_through" in one.attributes["exception.stacktrace"] for one in failed)


def test_classic_fields(pseudonyms: Pseudonymiser) -> None:
    formatter = JsonFormatter("classic", Redactor(), IdentityGuard(pseudonyms, "consent"))
    line = json.loads(
        formatter.format(logging.makeLogRecord({"name": "a", "msg": "hi", "levelno": 20, "levelname": "INFO"}))
    )
    assert {"asctime", "levelname", "name", "message"} <= set(line)


def _write(path: str, worker: int) -> None:
    handler = SharedRotatingFileHandler(path, maxBytes=20_000, backupCount=200, delay=True)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for i in range(500):
        handler.handle(logging.makeLogRecord({"msg": f"{worker}-{i} {'x' * 50}", "levelno": 20}))
    handler.close()


def test_several_processes_share_a_rotated_file_and_lose_no_line(tmp_path: Path) -> None:
    path = str(tmp_path / "app.jsonl")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(path, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    found = [line.split()[0] for file in tmp_path.glob("app.jsonl*") for line in file.read_text().splitlines()]
    assert len(found) == len(set(found)) == 1500
