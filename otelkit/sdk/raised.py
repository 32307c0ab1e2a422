"""An exception as Sentry takes it: its chain, its frames without variables, its words without values."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FrameType, TracebackType
from typing import Any, Final, NamedTuple

from otelkit.mapping.tracebacks import Frame, is_foreign
from otelkit.mapping.wording import words_of_code
from otelkit.sdk.guard import safe_text

__all__ = ["exceptions_of", "vocabulary_here"]

_MOST_FRAMES: Final = 100
_MOST_EXCEPTIONS: Final = 20
_MOST_CALLERS: Final = 40

_words = lru_cache(maxsize=4096)(words_of_code)


class Link(NamedTuple):
    """One exception of a chain: its number, its parent's, and how it belongs to that."""

    error: BaseException
    number: int
    parent: int | None
    source: str


def exceptions_of(error: BaseException, mechanism: dict[str, Any]) -> tuple[list[dict[str, Any]], frozenset[str]]:
    """Return the exceptions of a chain, the one that was raised last at the end, and the words of their code."""
    links = list(_chain(error))
    vocabulary = frozenset().union(*(_vocabulary_of(link.error) for link in links))
    return [_exception(link, mechanism) for link in reversed(links)], vocabulary


def vocabulary_here(frame: FrameType | None) -> frozenset[str]:
    """Return the words of the code that is being run, from ``frame`` outwards."""
    found: set[str] = set()
    for _ in range(_MOST_CALLERS):
        if frame is None:
            break
        found.update(_words(frame.f_code))
        frame = frame.f_back
    return frozenset(found)


def _chain(error: BaseException) -> Iterator[Link]:
    waiting = [Link(error, 0, None, "")]
    seen: set[int] = set()
    number = 0
    while waiting and number < _MOST_EXCEPTIONS:
        link = waiting.pop(0)
        if id(link.error) in seen:
            continue
        seen.add(id(link.error))
        link = link._replace(number=number)
        number += 1
        yield link
        inner = link.error
        if inner.__cause__ is not None:
            waiting.append(Link(inner.__cause__, 0, link.number, "__cause__"))
        elif inner.__context__ is not None and not inner.__suppress_context__:
            waiting.append(Link(inner.__context__, 0, link.number, "__context__"))
        if isinstance(inner, BaseExceptionGroup):
            waiting.extend(
                Link(member, 0, link.number, f"exceptions[{at}]") for at, member in enumerate(inner.exceptions)
            )


def _exception(link: Link, mechanism: dict[str, Any]) -> dict[str, Any]:
    error, kind = link.error, type(link.error)
    how = {**mechanism, "exception_id": link.number}
    if link.parent is not None:
        how = {"type": "chained", "handled": mechanism["handled"], "exception_id": link.number}
        how |= {"parent_id": link.parent, "source": link.source}
    if isinstance(error, BaseExceptionGroup):
        how["is_exception_group"] = True
    found = {
        "type": kind.__qualname__,
        "module": None if kind.__module__ == "builtins" else kind.__module__,
        "value": safe_text(error),
        "mechanism": how,
        "stacktrace": {"frames": _frames(error.__traceback__)},
    }
    return {name: value for name, value in found.items() if value not in (None, {"frames": []})}


def _frames(trace_back: TracebackType | None) -> list[dict[str, Any]]:
    found = []
    while trace_back is not None:
        found.append(_frame(trace_back.tb_frame, trace_back.tb_lineno))
        trace_back = trace_back.tb_next
    return found[-_MOST_FRAMES:]


def _frame(frame: FrameType, line: int) -> dict[str, Any]:
    code = frame.f_code
    own = not is_foreign(code.co_filename)
    found: dict[str, Any] = {
        "filename": Frame(code.co_filename, line, "", "", own).place,
        "module": str(frame.f_globals.get("__name__") or "") or None,
        "function": code.co_qualname,
        "lineno": line,
        "in_app": own,
    }
    if own:
        found["context_line"] = linecache.getline(code.co_filename, line, frame.f_globals).strip() or None
    return {name: value for name, value in found.items() if value is not None}


def _vocabulary_of(error: BaseException) -> frozenset[str]:
    """The words of the code that an exception came through, of its class, and of the system's word for its number."""
    codes: set[CodeType] = set()
    trace_back = error.__traceback__
    while trace_back is not None:
        codes.add(trace_back.tb_frame.f_code)
        trace_back = trace_back.tb_next
    for kind in type(error).__mro__:
        for function in (vars(kind).get("__init__"), vars(kind).get("__str__")):
            code = getattr(function, "__code__", None)
            if isinstance(code, CodeType):
                codes.add(code)
    return frozenset().union(*(_words(code) for code in codes))
