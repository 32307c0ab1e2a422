"""The same error has the same fingerprint, others have another; and each has a category."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2 as httpx
import pydantic
import pytest
from sqlalchemy import create_engine, text
from starlette.exceptions import HTTPException

from otelkit.mapping.failures import (
    CATEGORIES,
    category_of,
    failure_of_log,
    failures_of_span,
    fingerprint_of,
    stamp_log,
    stamp_span,
)
from otelkit.mapping.tracebacks import chain_of, culprit_of
from otelkit.model import LogRecord, Scope, Span, SpanEvent, SpanKind

CODE = """
def find(order):
    if order > 100:
        raise ValueError(f"order {order} of jane@example.com is not there")
    if order < 0:
        raise KeyError(order)
    return order

def price(order):
    try:
        return find(order)
    except ValueError as error:
        raise RuntimeError("no price") from error

def handle(order):
    return find(order)
"""


def module(folder: Path, code: str = CODE, name: str = "orders") -> ModuleType:
    """Make a module in a file of its own, so that tracebacks name that."""
    path = folder / "shop" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    made = ModuleType(name)
    exec(compile(code, str(path), "exec"), vars(made))
    return made


def raised(call: Callable[[], Any]) -> tuple[str, str, str]:
    """Type, message and traceback of what a call raises, as OpenTelemetry's SDK writes them."""
    try:
        call()
    except BaseException as error:
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        return name, str(error), "".join(traceback.format_exception(error))
    raise AssertionError("nothing was raised")


def mark(call: Callable[[], Any]) -> str:
    return fingerprint_of(*raised(call))


def test_lines_folders_and_values_make_no_difference(tmp_path: Path) -> None:
    one, moved = module(tmp_path / "releases" / "17"), module(tmp_path / "releases" / "18", "# new\n" * 30 + CODE)
    assert mark(lambda: one.find(101)) == mark(lambda: one.find(999_999)) == mark(lambda: moved.find(101))


def test_type_place_and_cause_do(tmp_path: Path) -> None:
    shop, other = module(tmp_path), module(tmp_path, name="bills")
    marks = [
        mark(lambda: shop.find(101)),
        mark(lambda: shop.find(-1)),
        mark(lambda: other.find(101)),
        mark(lambda: shop.price(101)),
        mark(lambda: int("x")),
    ]
    assert len(set(marks)) == len(marks)


def test_who_called_makes_none_because_spans_see_different_parts_of_the_stack(tmp_path: Path) -> None:
    shop = module(tmp_path)
    assert mark(lambda: shop.find(101)) == mark(lambda: shop.handle(101))


def test_a_chain_is_read(tmp_path: Path) -> None:
    shop = module(tmp_path)
    cause, last = chain_of(raised(lambda: shop.price(101))[2])
    assert (cause.type, cause.link, last.type, last.message) == ("ValueError", "cause", "RuntimeError", "no price")
    frame = culprit_of(cause)
    assert frame is not None
    assert (frame.place, frame.function, frame.app) == ("shop/orders.py", "find", True)
    assert frame.code.startswith("raise ValueError")


def test_frames_of_libraries_are_not_the_application() -> None:
    last = chain_of(raised(lambda: httpx.get("http://127.0.0.1:9/", trust_env=False))[2])[-1]
    assert last.type == "httpx2.ConnectError"
    assert not last.frames[-1].app
    frame = culprit_of(last)
    assert frame is not None
    assert frame.place.endswith("test_failures.py")


def test_groups_are_the_same_in_any_order(tmp_path: Path) -> None:
    shop = module(tmp_path)

    def failing(*orders: int) -> None:
        errors = []
        for order in orders:
            try:
                shop.find(order)
            except Exception as error:
                errors.append(error)
        raise ExceptionGroup("some failed", errors)

    members = chain_of(raised(lambda: failing(101, -1))[2])
    assert [(one.type, one.link) for one in members[:2]] == [("ValueError", "member"), ("KeyError", "member")]
    assert members[-1].type == "ExceptionGroup"
    assert mark(lambda: failing(101, -1)) == mark(lambda: failing(-1, 500)) != mark(lambda: failing(101))


def test_without_a_stack_the_words_count_and_their_values_do_not() -> None:
    said = "order 17 of 'Jane' at jane@example.com is late"
    same = 'order 9f8e7d of "Joe" at [email] is late'
    assert fingerprint_of("Late", said) == fingerprint_of("Late", same)
    assert fingerprint_of("Late", said) != fingerprint_of("Late", "order 17 is lost")
    assert fingerprint_of("Late", said) != fingerprint_of("Lost", said)


def test_other_languages_are_told_apart_by_the_function_that_raised() -> None:
    script = (
        "TypeError: x\n    at Object.<anonymous> (/srv/node_modules/a/b.js:1:2)\n    at loadCart (/srv/app.js:{}:5)"
    )
    java = "java.lang.Exception: no\n\tat com.shop.Cart.load(Cart.java:{})\n\tat com.shop.Main.main(Main.java:9)"
    for stack in (script, java):
        assert fingerprint_of("E", "m 1", stack.format(10)) == fingerprint_of("E", "m 2", stack.format(99))
    assert fingerprint_of("E", "m", script) != fingerprint_of("E", "m", java)
    assert fingerprint_of("E", "broken 7", "goroutine 1 [running]:") == fingerprint_of("E", "broken 8", "goroutine 2")


@pytest.mark.parametrize(
    "hostile",
    [
        "Traceback (most recent call last):\n" + '  File "a", line 1, in f\n' * 20_000 + "E: x",
        "Traceback (most recent call last):\n" + "  | " * 30_000,
        "Traceback (most recent call last):\n" + " " * 60_000 + "x",
        "Traceback (most recent call last):\n" * 2_000,
        "at a(" * 15_000,
        'Traceback (most recent call last):\n  File "' + "a/" * 30_000,
        "x" * 70_000,
        "'" * 70_000 + "[" * 1000,
        "\ud800",
    ],
)
def test_hostile_texts_take_no_time(hostile: str) -> None:
    began = time.perf_counter()
    assert len(fingerprint_of("E", hostile, hostile)) == 16
    assert category_of("E", hostile, chain_of(hostile)) == "bug"
    assert time.perf_counter() - began < 0.5


def database_error() -> None:
    create_engine("sqlite://").connect().execute(text("SELECT * FROM nowhere"))


def validation() -> None:
    class Model(pydantic.BaseModel):
        number: int

    Model.model_validate({"number": "x"})


def upstream(status: int) -> Callable[[], Any]:
    request = httpx.Request("GET", "http://orders.internal/7")
    return lambda: httpx.Response(status, request=request).raise_for_status()


def http(status: int) -> Callable[[], Any]:
    def fail() -> None:
        raise HTTPException(status)

    return fail


def refuse() -> None:
    raise ConnectionRefusedError(111, "refused")


def late() -> None:
    raise TimeoutError


def from_late() -> None:
    try:
        late()
    except TimeoutError as error:
        raise RuntimeError("no answer") from error


@pytest.mark.parametrize(
    ("call", "category"),
    [
        (late, "timeout"),
        (from_late, "timeout"),
        (refuse, "dependency"),
        (database_error, "dependency"),
        (validation, "client"),
        (http(404), "client"),
        (http(429), "limit"),
        (http(503), "dependency"),
        (http(504), "timeout"),
        (http(500), "bug"),
        (upstream(429), "limit"),
        (upstream(404), "dependency"),
        (upstream(500), "dependency"),
        (lambda: httpx.get("http://127.0.0.1:9/", trust_env=False), "dependency"),
        (lambda: int("x"), "bug"),
        (lambda: {}["x"], "bug"),
        (lambda: None.x, "bug"),  # type: ignore[attr-defined]
    ],
)
def test_categories_of_what_is_really_raised(call: Callable[[], Any], category: str) -> None:
    kind, message, stacktrace = raised(call)
    assert category_of(kind, message, chain_of(stacktrace)) == category


@pytest.mark.parametrize(
    ("kind", "message", "category"),
    [
        ("openai.RateLimitError", "Error code: 429 - {'error': 'quota'}", "limit"),
        ("openai.APITimeoutError", "Request timed out.", "timeout"),
        ("openai.APIConnectionError", "Connection error.", "dependency"),
        ("openai.InternalServerError", "Error code: 500", "dependency"),
        ("anthropic.OverloadedError", "Error code: 529", "dependency"),
        ("httpx.ReadTimeout", "", "timeout"),
        ("google.api_core.exceptions.ResourceExhausted", "429 Quota exceeded", "limit"),
        ("botocore.errorfactory.ThrottlingException", "", "limit"),
        ("psycopg.OperationalError", "connection failed", "dependency"),
        ("redis.exceptions.ConnectionError", "", "dependency"),
        ("fastapi.exceptions.RequestValidationError", "", "client"),
        ("app.errors.OrderNotFound", "", "client"),
        ("AssertionError", "HTTP 429", "bug"),
        ("", "it is all over", "bug"),
        ("a" * 100_000, "b", "bug"),
    ],
)
def test_categories_by_name(kind: str, message: str, category: str) -> None:
    assert category_of(kind, message) == category
    assert category in CATEGORIES


def exception_event(call: Callable[[], Any]) -> SpanEvent:
    names = ("exception.type", "exception.message", "exception.stacktrace")
    return SpanEvent("exception", 7, dict(zip(names, raised(call), strict=True)))


def test_a_span_and_the_log_of_the_same_exception_say_the_same(tmp_path: Path) -> None:
    shop = module(tmp_path)
    event = exception_event(lambda: shop.find(101))
    plain = Span(bytes(16), bytes(8), b"", "GET /", SpanKind.SERVER, 0, 1, status=2, events=(event, event))
    (of_span,) = failures_of_span(stamp_span(plain))
    record = stamp_log(LogRecord(9, 9, 17, "ERROR", "failed", event.attributes))
    of_log = failure_of_log(record)
    assert of_log is not None
    assert of_span.fingerprint == of_log.fingerprint
    assert (of_span.category, of_span.unhandled, of_span.time) == ("bug", True, 7)
    assert (of_log.unhandled, of_log.time, of_log.type) == (False, 9, "ValueError")
    assert plain.events[0].attributes is event.attributes, "the input stays as it was"
    assert stamp_span(stamp_span(plain)) == stamp_span(plain)


def test_with_or_without_its_module_it_is_the_same_error(tmp_path: Path) -> None:
    stack = raised(lambda: module(tmp_path).find(101))[2]
    for rest in ((stack,), ("at load (/srv/app.js:1:5)",), ("",)):
        assert fingerprint_of("shop.errors.Late", "late", *rest) == fingerprint_of("Late", "late", *rest)
    assert fingerprint_of("shop.errors.Late", "late", stack) != fingerprint_of("shop.errors.Lost", "late", stack)


def test_what_is_no_error_is_left_alone() -> None:
    quiet = Span(bytes(16), bytes(8), b"", "GET /", SpanKind.SERVER, 0, 1, events=(SpanEvent("chunk", 1),))
    assert stamp_span(quiet) is quiet
    for record in (
        LogRecord(1, 1, 9, "INFO", "fine"),
        LogRecord(1, 1, 13, "WARN", "odd", {"exception.type": "ValueError"}),
        LogRecord(1, 1, 17, "ERROR", "x", event_name="otelkit.error.new"),
    ):
        assert stamp_log(record) is record
        assert failure_of_log(record) is None


def test_a_logged_error_is_known_by_its_logger_and_words() -> None:
    def logged(body: str, scope: str = "shop") -> Any:
        return failure_of_log(stamp_log(LogRecord(1, 1, 17, "ERROR", body, scope=Scope(scope))))

    assert logged("order 7 is late").fingerprint == logged("order 8 is late").fingerprint
    assert logged("order 7 is late").fingerprint != logged("order 7 is late", "bills").fingerprint
    assert (logged("order 7 is late").type, logged("order 7 is late").message) == ("", "order 7 is late")


def test_a_foreign_stamp_is_not_believed_blindly() -> None:
    record = LogRecord(1, 1, 17, "ERROR", "x", {"otelkit.error.fingerprint": "'; --", "otelkit.error.category": "fun"})
    failure = failure_of_log(stamp_log(record))
    assert failure is not None
    assert len(failure.fingerprint) == 16
    assert failure.category == "bug"


def test_frames_of_python_itself_and_deep_recursion() -> None:
    def again(depth: int) -> int:
        return again(depth + 1)

    kind, message, stacktrace = raised(lambda: again(0))
    assert kind == "RecursionError"
    assert fingerprint_of(kind, message, stacktrace) == fingerprint_of(*raised(lambda: again(3)))
    assert sys.version_info >= (3, 11)
