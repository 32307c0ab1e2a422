"""Each call once, in whatever order and through whatever stands between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otelkit.mapping.counting import CallLedger, is_counted
from otelkit.model import Scope, Span


def ident(number: int) -> bytes:
    return number.to_bytes(8, "big") if number else b""


def a_span(
    number: int, parent: int = 0, *, start: int = 100, end: int = 200, trace: int = 1, **attributes: Any
) -> Span:
    named = {key.replace("__", "."): value for key, value in attributes.items()}
    return Span(trace.to_bytes(16, "big"), ident(number), ident(parent), "s", 1, start, end, attributes=named)


def call(number: int, parent: int = 0, *, id: str = "", tokens: tuple[Any, Any] = (10, 5), **more: Any) -> Span:
    attributes = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "gpt-4o"}
    attributes |= {"gen_ai__response__id": id} if id else {}
    for name, count in zip(("input", "output"), tokens, strict=True):
        attributes |= {f"gen_ai__usage__{name}_tokens": count} if count is not None else {}
    return a_span(number, parent, **(attributes | more))


def duplicates(*spans: Span, **limits: int) -> list[int]:
    ledger = CallLedger(**limits)
    return [int.from_bytes(span.span_id, "big") for span in spans if ledger.observe(span)]


def test_the_innermost_counts() -> None:
    assert duplicates(call(3, 2, id="r"), call(2, 1, id="r"), call(1, id="r")) == [2, 1]


def test_spans_between_are_walked_through() -> None:
    assert duplicates(call(4, 3, id="r"), a_span(3, 2), a_span(2, 1), call(1, id="r")) == [1]


def test_an_outer_span_that_arrives_first_counts() -> None:
    assert duplicates(call(1, id="r"), call(2, 1, id="r")) == [2]
    assert duplicates(call(1, id="r"), a_span(2, 1), call(3, 2, id="r")) == [3]
    assert duplicates(call(3, 2, id="r"), call(1, id="r"), a_span(2, 1)) == []  # the link between them came too late


def test_without_a_response_id_model_and_tokens_decide() -> None:
    assert duplicates(call(2, 1, id="r"), call(1)) == [1]
    assert duplicates(call(2, 1), call(1)) == [1]
    assert duplicates(call(2, 1, gen_ai__response__model="gpt-4o-2024-08-06"), call(1)) == [1]
    assert duplicates(call(2, 1), call(1, tokens=(None, None))) == [1]  # a stream that did not report
    assert duplicates(call(2, 1), call(1, tokens=(11, 5))) == []
    assert duplicates(call(2, 1), call(1, gen_ai__request__model="gpt-4o-mini")) == []


@pytest.mark.parametrize(
    "spans",
    [
        (call(2, 1, id="a"), call(1, id="b")),
        (call(2, 9, id="r"), call(3, 9, id="r")),  # siblings: a retry is another call
        (call(2, 1, id="r", trace=1), call(1, id="r", trace=2)),
        (call(2, 1, id="r", start=300, end=400), call(1, id="r")),
        (call(2, 1, id="r"), a_span(1)),
        (a_span(2, 1, gen_ai__operation__name="execute_tool"), call(1, id="r")),
        (call(2, 1, id="r"), call(1, id="r", gen_ai__operation__name="invoke_agent")),
        (call(2, 1), call(1, gen_ai__operation__name="embeddings")),
    ],
)
def test_what_is_no_duplicate(spans: tuple[Span, ...]) -> None:
    assert duplicates(*spans) == []


def by(scope: str, span: Span) -> Span:
    return span._replace(scope=Scope(scope))


def test_an_instrumentation_that_does_not_nest_its_spans() -> None:
    """LangChain's callbacks make no span current: the client's span lies beside theirs, under the same parent."""
    client, chain = by("openai", call(2, 1, id="r", start=110)), by("langchain", call(3, 1, id="r"))
    silent = by("langchain", call(3, 1))
    assert duplicates(client, chain) == duplicates(client, silent) == [3]
    assert duplicates(chain, client) == duplicates(silent, client) == [2]
    elsewhere = bytes(15) + b"\x09"  # with nothing around them, each starts a trace of its own
    assert duplicates(client, chain._replace(trace_id=elsewhere)) == [3]
    assert duplicates(client, silent._replace(trace_id=elsewhere)) == []
    outer = by("otelkit", call(1, 9, id="r", end=300))
    assert duplicates(client, chain, outer) == [3, 1]


def test_calls_side_by_side_that_look_alike_stay_calls() -> None:
    inner = by("openai", call(2, 1, start=110, end=190))
    assert duplicates(inner, by("langchain", call(3, 1, tokens=(None, None)))) == []
    assert duplicates(inner, by("langchain", call(3, 1, start=150, end=250))) == []  # overlaps, does not contain
    assert duplicates(inner, by("openai", call(3, 1))) == []
    assert duplicates(inner, by("otelkit", call(3, 1))) == []
    assert duplicates(inner, by("langchain", call(3, 1)), by("langchain", call(4, 1))) == [3]  # one each


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 4), min_size=1, max_size=8))
def test_equal_calls_at_once_stay_as_many_as_they_are(calls: list[tuple[int, int, int, int]]) -> None:
    """However they overlap: the client's span lies within the chain's, and spans come as they end."""
    spans = []
    for number, (begin, before, length, after) in enumerate(calls, start=2):
        start = begin + before
        spans.append(by("openai", call(number, 1, start=start, end=start + length)))
        spans.append(by("langchain", call(number + 20, 1, start=begin, end=start + length + after + 1)))
    assert len(duplicates(*sorted(spans, key=lambda span: span.end))) == len(calls)


def test_embeddings_count_once_too() -> None:
    both = {"gen_ai__operation__name": "embeddings"}
    assert duplicates(call(2, 1, tokens=(3, None), **both), call(1, tokens=(3, None), **both)) == [1]


def test_an_agent_with_two_calls_keeps_both() -> None:
    spans = (
        call(3, 2, id="a"),
        call(5, 4, id="b"),
        a_span(2, 1, gen_ai__operation__name="invoke_agent"),
        a_span(4, 1),
        a_span(1),
    )
    assert duplicates(*spans) == []


def test_the_same_span_again_is_not_judged() -> None:
    assert duplicates(call(1, id="r"), call(1, id="r")) == []


def test_a_mark_from_elsewhere_is_kept() -> None:
    marked = call(2, 1, id="r", otelkit__duplicate=True)
    assert duplicates(marked, call(1, id="r")) == [2]
    assert not is_counted(marked)
    assert is_counted(call(1))
    assert is_counted(call(1, gen_ai__operation__name="embeddings"))
    assert not is_counted(a_span(1, gen_ai__operation__name="invoke_agent"))


def test_memory_is_bounded() -> None:
    ledger = CallLedger(traces=3, spans=4)
    for trace in range(1, 50):
        for number in range(2, 60):
            ledger.observe(call(number, number // 2, id=f"{trace}-{number}", trace=trace))
    assert len(ledger._traces) == 3
    for trace in ledger._traces.values():
        assert max(len(trace.parents), len(trace.calls), len(trace.below)) <= 4
        assert all(len(calls) <= 4 for calls in trace.below.values())


def test_a_forgotten_trace_is_only_forgotten() -> None:
    spans = (call(2, 1, id="r"), call(2, 1, id="x", trace=2), call(2, 1, id="y", trace=3), call(1, id="r"))
    assert duplicates(*spans, traces=2) == []
    assert duplicates(*spans, traces=3) == [1]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=12))
def test_of_a_chain_that_saw_one_call_exactly_one_counts(chain: list[tuple[bool, int]]) -> None:
    """Any chain of nested spans that ends children first, some of them records of the same call."""
    size = len(chain)
    spans = [
        call(number, number - 1, id="r", start=100 - nested, end=200 + nested)
        if is_call
        else a_span(number, number - 1)
        for number, (is_call, nested) in zip(range(size, 0, -1), chain, strict=True)
    ]
    calls = [int.from_bytes(span.span_id, "big") for span in spans if span.attributes]
    assert duplicates(*spans) == calls[1:]
