"""The live step behind a decorator or ``with`` block: a span with the words of the GenAI conventions.

Nothing but names, sizes and counts is recorded unless content is opted in.
"""

from __future__ import annotations

import functools
import inspect
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Token
from dataclasses import dataclass, field, replace
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode, Tracer

from otelkit.mapping.messages import chat_message
from otelkit.sdk.context import detach, group_pseudonym
from otelkit.sdk.guard import guard, log_sparsely, safe_text
from otelkit.sdk.origins import remember_origin
from otelkit.sdk.reports import report_error
from otelkit.sdk.results import Results, read_results
from otelkit.semconv.attributes import Core, GenAI, Operation, Otelkit

__all__ = ["Spec", "State", "Step", "begin", "current_step", "enter", "inert_step", "leave", "tracer"]

_STEP_KEY: Final = otel_context.create_key("otelkit-step")
_LONGEST_CONTENT: Final = 16_384  # characters of one captured value
_LONGEST_CONVERSATION: Final = 60_000  # characters of one call's messages
_MOST_CHUNKS: Final = 4096  # chunks of a stream kept for its captured text


class State:
    """Switches of this process that every step reads; set by ``init``."""

    enabled = True
    capture_content = False


@dataclass(frozen=True, slots=True)
class Spec:
    """What a kind of step is called and carries.

    Attributes:
        operation: value of ``gen_ai.operation.name``.
        name_key: attribute that holds the step's name.
        kind: span kind.
        attributes: fixed attributes.
        name: the span name's second word (tool, agent, model, data source).
        named_by_function: whether the function's name serves where none is given.
        parameters: names of the function's positional parameters, for captured input.
        input_key, output_key: where captured content goes.
        group: the caller's id of whom it is for; leaves as a pseudonym.
    """

    operation: str
    name_key: str
    kind: SpanKind = SpanKind.INTERNAL
    attributes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    named_by_function: bool = True
    input_key: str = Otelkit.INPUT_VALUE
    output_key: str = Otelkit.OUTPUT_VALUE
    group: object = None
    parameters: tuple[str, ...] = ()

    def for_function(self, function: Callable[..., Any]) -> Spec:
        """The same for ``function``: its name where none was given and one is wanted, its parameters' names."""
        name = self.name
        if self.named_by_function and not name:
            name = _name(function)
        return replace(self, name=name, parameters=_parameters(function))


class Step:
    """A step in progress, from ``with otelkit.traced_tool(…) as step``; every method is safe at any time."""

    __slots__ = (
        "_chunks",
        "_ended",
        "_first_chunk",
        "_spec",
        "_started",
        "_text",
        "_told",
        "agent",
        "context",
        "nameless",
        "span",
        "token",
    )

    def __init__(self, spec: Spec, span: trace.Span, agent: str, outer: Context | None = None) -> None:
        self.span = span
        self.agent = agent
        self.nameless = False  # a run of a job whose own decorator has yet to name it
        self.token: Token[Context] | None = None  # of the context a ``with`` block attached
        self.context: Context = otel_context.set_value(_STEP_KEY, self, trace.set_span_in_context(span, outer))
        self._spec = spec
        self._started = time.perf_counter()
        self._first_chunk: float | None = None
        self._chunks = 0
        self._text: list[str] = []
        self._told = False  # what the model said is on the span as messages
        self._ended = False

    def set_attribute(self, key: str, value: str | bool | int | float | Sequence[str]) -> None:
        """Set any other attribute; it passes redaction like all others."""
        with guard:
            self.span.set_attribute(key, value)

    def record_usage(
        self,
        *,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        cached_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
    ) -> None:
        """Report what a call used, in tokens. ``input_tokens`` includes cached ones, ``output_tokens`` reasoning ones.

        What is not known stays ``None``: unknown is never 0.
        """
        counts = {
            GenAI.INPUT_TOKENS: input_tokens,
            GenAI.OUTPUT_TOKENS: output_tokens,
            GenAI.CACHE_READ_TOKENS: cached_tokens,
            GenAI.CACHE_WRITE_TOKENS: cache_write_tokens,
            GenAI.REASONING_TOKENS: reasoning_tokens,
        }
        with guard:
            for key, count in counts.items():
                if count is None:
                    continue
                if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
                    self.span.set_attribute(key, count)
                else:
                    log_sparsely(f"usage {key}", "%s must be a whole number from 0; it is left out", key)

    def record_response(
        self, *, model: str | None = None, id: str | None = None, finish_reasons: Iterable[str] | None = None
    ) -> None:
        """Report which model answered, the answer's id and why it ended."""
        with guard:
            if model:
                self.span.set_attribute(GenAI.RESPONSE_MODEL, str(model))
            if id:
                self.span.set_attribute(GenAI.RESPONSE_ID, str(id))
            if finish_reasons:
                reasons = [finish_reasons] if isinstance(finish_reasons, str) else finish_reasons
                self.span.set_attribute(GenAI.FINISH_REASONS, [str(reason) for reason in reasons if reason])

    def record_messages(self, *, input: Iterable[Any] = (), output: Iterable[Any] = ()) -> None:
        """Report what an LLM was told and said, as chat clients write it; recorded only if content is opted in.

        Args:
            input: messages with ``role`` and ``content`` (text or parts), ``tool_calls``, ``tool_call_id``.
            output: the model's messages, alike; plain text stands for an assistant's message.
        """
        if not State.capture_content:
            return
        with guard:
            for key, messages, role in (
                (GenAI.INPUT_MESSAGES, input, "user"),
                (GenAI.OUTPUT_MESSAGES, output, "assistant"),
            ):
                found = [chat_message(_as_mapping(message, role)) for message in messages]
                if found:
                    self.span.set_attribute(key, _as_conversation(found))
                    self._told |= key == GenAI.OUTPUT_MESSAGES

    def record_results(self, results: Iterable[Any], scores: Iterable[float] | None = None) -> None:
        """Report what a retrieval found: documents (dicts or objects with id and score, or (document, score) pairs)."""
        with guard:
            found = read_results(results, scores)
            if found is not None:
                self._set_results(found)

    def chunk(self, content: object = None) -> None:
        """Report one chunk of a stream; the first one gives the time to first chunk."""
        if self._first_chunk is None:
            self._first_chunk = time.perf_counter() - self._started
        self._chunks += 1  # no guard: nothing here can raise, and it runs for every token
        if State.capture_content and isinstance(content, str) and len(self._text) < _MOST_CHUNKS:
            self._text.append(content)

    def fail(self, reason: str | BaseException) -> None:
        """Mark the step as failed without raising; it still ends as it would."""
        with guard:
            if isinstance(reason, BaseException):
                self._record_error(reason)
            else:
                self._mark_failed("_OTHER", safe_text(reason))

    def retry(self, error: BaseException | None = None) -> None:
        """End it as an attempt that will be made again: no failure of the job yet, whatever the cause."""
        with guard:
            self.span.set_attribute(Otelkit.OUTCOME, "retry")
            if error is not None:
                self.span.set_attribute(Core.ERROR_TYPE, _type_name(error))
        self.end()

    def named(self, name: str) -> Step:
        """The step for the decorator of the function that this one runs: the same span, which ends with this one."""
        self.nameless = False
        if name:
            self.span.update_name(f"{Operation.JOB} {name}")
            self.span.set_attribute(Otelkit.JOB_NAME, name)
        inner = Step(_NO_SPEC, self.span, self.agent, self.context)
        inner._ended = True
        return inner

    def end(self, result: object = None) -> None:
        """End it: ``result`` is what it gave back (sizes and scores are read from it; content only if opted in)."""
        if self._ended:
            return
        self._ended = True
        with guard:
            self._describe(result)
        self.span.end()

    def end_with(self, error: BaseException) -> None:
        """End it by ``error``: cancellation and early close are not failures, and are recorded as what they are."""
        if self._ended:
            return
        with guard:
            if isinstance(error, GeneratorExit):
                self.span.set_attribute(Otelkit.OUTCOME, "closed_early")
            elif isinstance(error, (KeyboardInterrupt, SystemExit)) or _is_cancellation(error):
                self.span.set_attribute(Otelkit.OUTCOME, "cancelled")
            else:
                self._record_error(error)
                parent = getattr(self.span, "parent", None)
                report_error(error, seen="step", handled=parent is not None and not parent.is_remote)
        self.end()

    def describe_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Read what a decorated call's arguments say: a retrieval's ``k``; content only if opted in."""
        asks = self._spec.operation == Operation.RETRIEVAL and GenAI.RETRIEVAL_TOP_K not in self._spec.attributes
        if not asks and not State.capture_content:
            return
        given = dict(zip(self._spec.parameters, args, strict=False)) | dict(kwargs)
        top_k = given.get("top_k", given.get("k"))
        if asks and isinstance(top_k, int) and not isinstance(top_k, bool):
            self.span.set_attribute(GenAI.RETRIEVAL_TOP_K, top_k)
        if State.capture_content:
            given.pop("self", None)
            given.pop("cls", None)
            value = next(iter(given.values())) if len(given) == 1 else given
            self.span.set_attribute(self._spec.input_key, as_text(value))

    def _describe(self, result: object) -> None:
        if self._first_chunk is not None:
            self.span.set_attribute(GenAI.TIME_TO_FIRST_CHUNK, self._first_chunk)
            self.span.set_attribute(Otelkit.CHUNK_COUNT, self._chunks)
        if self._spec.operation in {Operation.RETRIEVAL, Operation.RERANK} and result is not None:
            found = read_results(result)
            if found is not None:
                self._set_results(found)
        if State.capture_content and not self._told:
            output = "".join(self._text) if self._text else result
            if output is not None and self._spec.operation not in {Operation.RETRIEVAL, Operation.EMBEDDINGS}:
                self.span.set_attribute(self._spec.output_key, as_text(output))

    def _set_results(self, found: Results) -> None:
        self.span.set_attributes(found.attributes())
        if State.capture_content:
            self.span.set_attribute(GenAI.RETRIEVAL_DOCUMENTS, as_text(found.documents()))

    def _record_error(self, error: BaseException) -> None:
        remember_origin(error, self.span)
        kind, message = _type_name(error), safe_text(error)
        self._mark_failed(kind, f"{type(error).__name__}: {message}")
        try:
            self.span.record_exception(error)
        except Exception:  # noqa: BLE001 - its __str__ raises
            self.span.add_event("exception", {Core.EXCEPTION_TYPE: kind, Core.EXCEPTION_MESSAGE: message})

    def _mark_failed(self, kind: str, message: str) -> None:
        self.span.set_attribute(Core.ERROR_TYPE, kind)
        self.span.set_attribute(Otelkit.OUTCOME, "error")
        self.span.set_status(Status(StatusCode.ERROR, message))


_NO_SPEC: Final = Spec("", "")
_TRACER: list[Tracer] = []


def begin(spec: Spec) -> Step:
    """Start a step as child of what is current; never raises."""
    agent = spec.name if spec.operation == Operation.INVOKE_AGENT else ""
    with guard:
        context = otel_context.get_current()  # looked up once: each look-up below would do it again
        outer = context.get(_STEP_KEY)
        if spec.operation == Operation.JOB and isinstance(outer, Step) and outer.nameless:
            return outer.named(spec.name)
        agent = agent or (outer.agent if isinstance(outer, Step) else "")
        attributes = {GenAI.OPERATION: spec.operation, **spec.attributes}
        if spec.name:
            attributes[spec.name_key] = spec.name
        if agent and GenAI.AGENT_NAME not in attributes:
            attributes[GenAI.AGENT_NAME] = agent
        name = f"{spec.operation} {spec.name}" if spec.name else spec.operation
        span = tracer().start_span(name, context, spec.kind, attributes)
        if spec.group is not None and (group := group_pseudonym(spec.group)):
            span.set_attribute(Otelkit.GROUP_ID, group)  # after the session's: the nearer one is meant
        return Step(spec, span, agent, context)
    return Step(spec, trace.INVALID_SPAN, agent)


def inert_step() -> Step:
    """A step that records nothing, for ``with`` while telemetry is off."""
    return Step(_NO_SPEC, trace.INVALID_SPAN, "")


def enter(step: Step) -> None:
    """Make ``step`` the current one; when it has ended, call :func:`leave`."""
    step.token = otel_context.attach(step.context)


def leave() -> None:
    """Make current again what was before the current step, if that has ended, and so on.

    So a step that ended out of turn, or in another context, takes nothing away from those still under way; it goes when
    they do.
    """
    step = otel_context.get_value(_STEP_KEY)
    while isinstance(step, Step) and step._ended and step.token is not None and detach(step.token):
        step = otel_context.get_value(_STEP_KEY)


def current_step() -> Step:
    """The innermost step; outside any, one over the current span, so that helpers work under other instrumentations."""
    step = otel_context.get_value(_STEP_KEY)
    return step if isinstance(step, Step) else Step(_NO_SPEC, trace.get_current_span(), "")


def tracer() -> Tracer:
    """otelkit's own tracer."""
    if not _TRACER:  # a proxy until a provider is set, so it may be kept
        _TRACER.append(trace.get_tracer("otelkit"))
    return _TRACER[0]


def as_text(value: object) -> str:
    """Captured content as text: strings as they are, the rest as JSON, cut at 16,384 characters."""
    if not isinstance(value, str):
        try:
            value = json.dumps(value, ensure_ascii=False, default=_json_default)
        except (TypeError, ValueError, RecursionError):
            value = f"<{type(value).__name__}>"
    return value if len(value) <= _LONGEST_CONTENT else value[:_LONGEST_CONTENT] + "…"


def _as_conversation(messages: list[dict[str, Any]]) -> str:
    """JSON that stays JSON: of a long conversation the newest messages that fit, long texts cut."""
    kept: list[str] = []
    room = _LONGEST_CONVERSATION
    for message in reversed(messages):
        parts = [
            {**part, "content": as_text(part["content"])} if "content" in part else part for part in message["parts"]
        ]
        text = json.dumps({**message, "parts": parts}, ensure_ascii=False, default=_json_default)
        room -= len(text) + 2
        if room < 0:
            break
        kept.append(text)
    return f"[{', '.join(reversed(kept))}]"


def _as_mapping(message: Any, role: str) -> Mapping[str, Any]:
    if isinstance(message, str):
        return {"role": role, "content": message}
    if isinstance(message, Mapping):
        return message
    return dict(message.model_dump() if hasattr(message, "model_dump") else vars(message))


def _json_default(value: object) -> object:
    for method in ("model_dump", "to_dict", "_asdict"):
        convert = getattr(value, method, None)
        if callable(convert):
            return convert()
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    return f"<{type(value).__name__}>"  # a repr may be huge, slow, or hold secrets


def _name(function: Callable[..., Any]) -> str:
    while isinstance(function, functools.partial) and not hasattr(function, "__name__"):
        function = function.func
    name: str = getattr(function, "__name__", type(function).__name__)
    return name


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the positional parameters that a caller still gives: not those bound by a partial or a method."""
    bound = 0
    while isinstance(function, functools.partial):
        bound += len(function.args)
        function = function.func
    function = inspect.unwrap(function, stop=inspect.ismethod)
    if inspect.ismethod(function):
        bound += 1
        function = inspect.unwrap(function.__func__)
    code = getattr(function, "__code__", None)
    return code.co_varnames[bound : code.co_argcount] if code is not None else ()


def _is_cancellation(error: BaseException) -> bool:
    """By name, so that asyncio (30 ms) is not imported for it, and trio's counts too."""
    return not isinstance(error, Exception) and type(error).__name__ in {"CancelledError", "Cancelled"}


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
