"""``traced_tool``, ``traced_llm`` … as decorators and as context managers.

::

    @traced_tool                                  # bare
    @traced_tool("find_orders", integration="orders")   # with options
    with traced_tool("find_orders") as step:      # where there is no function to decorate; ``async with`` too

Functions may be sync, async, generators, async generators, methods; signatures and types stay as they are. In a
generator the step is current while the generator runs and not while its consumer does: nothing leaks between them.
Where a function returns a coroutine, a generator or an async generator, the step lasts until that is done.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from dataclasses import replace
from types import AsyncGeneratorType, CoroutineType, GeneratorType, TracebackType
from typing import Any, Final, TypeVar, cast, overload

from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind

from otelkit.sdk.context import detach
from otelkit.sdk.guard import guard
from otelkit.sdk.steps import Spec, State, Step, begin, current_step, enter, inert_step, leave
from otelkit.semconv.attributes import GenAI, Operation, Otelkit

__all__ = [
    "Traced",
    "record_chunk",
    "record_messages",
    "record_response",
    "record_results",
    "record_usage",
    "sync",
    "traced_agent",
    "traced_embedding",
    "traced_job",
    "traced_llm",
    "traced_rerank",
    "traced_retrieval",
    "traced_tool",
    "traced_workflow",
]

F = TypeVar("F", bound=Callable[..., Any])


class Traced:
    """A kind of step with its options: call it on a function to decorate it, or enter it with ``with``."""

    __slots__ = ("_entered", "_spec")

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._entered: list[Step] = []  # several where threads or tasks share one

    def __call__(self, function: F, /) -> F:
        """Decorate ``function``; its signature and type stay."""
        if isinstance(function, (classmethod, staticmethod)):
            return type(function)(self(function.__func__))
        wrapped = _wrapper(function)(function, self._spec.for_function(function))
        if self._spec.operation == Operation.JOB:
            wrapped.__otelkit_job__ = True  # type: ignore[attr-defined]  # a worker's hook has its span named by it
        return cast(F, wrapped)

    def __enter__(self) -> Step:
        if State.enabled:
            step = begin(self._spec)
            enter(step)
        else:
            step = inert_step()
        self._entered.append(step)
        return step

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        step = self._pop_entered()
        if step is None:
            return
        if error is None:
            step.end()
        else:
            step.end_with(error)
        leave()

    def _pop_entered(self) -> Step | None:
        """The step to leave: the current one if it was entered here, else (in another context) the last that was."""
        step = current_step()
        try:
            self._entered.remove(step)
        except ValueError:
            return self._entered.pop() if self._entered else None
        return step

    async def __aenter__(self) -> Step:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


# --- the four kinds of function ------------------------------------------------------------------------------


def _wrapper(function: Callable[..., Any]) -> Callable[[Callable[..., Any], Spec], Callable[..., Any]]:
    plain = inspect.isroutine(function) or isinstance(function, functools.partial)
    call = function if plain else type(function).__call__
    if inspect.isasyncgenfunction(call):
        return _wrap_async_generator
    if inspect.isgeneratorfunction(call):
        return _wrap_generator
    if inspect.iscoroutinefunction(call):
        return _wrap_async
    return _wrap_sync


def _begin_call(spec: Spec, args: tuple[Any, ...], kwargs: dict[str, Any], given: Step | None = None) -> Step | None:
    """The step of a call; ``given`` where what a function returned goes on with its step; None with telemetry off."""
    if given is not None or not State.enabled:
        return given
    step = begin(spec)
    with guard:
        step.describe_call(args, kwargs)
    return step


def _finish(step: Step, spec: Spec, result: Any) -> Any:
    """End the step, or hand it on to what ``result`` has yet to do."""
    wrap = _LASTING.get(type(result))
    if wrap is None:
        step.end(result)
        return result
    lasting = wrap(lambda: result, spec, step)()
    weakref.finalize(lasting, step.end_with, GeneratorExit()).atexit = False  # never begun, it could not end the step
    return lasting


def _wrap_sync(function: Callable[..., Any], spec: Spec) -> Callable[..., Any]:
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        step = _begin_call(spec, args, kwargs)
        if step is None:
            return function(*args, **kwargs)
        token = otel_context.attach(step.context)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            step.end_with(error)
            raise
        else:
            return _finish(step, spec, result)
        finally:
            detach(token)

    return traced


def _wrap_async(function: Callable[..., Any], spec: Spec, given: Step | None = None) -> Callable[..., Any]:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        step = _begin_call(spec, args, kwargs, given)
        if step is None:
            return await function(*args, **kwargs)
        token = otel_context.attach(step.context)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            step.end_with(error)
            raise
        else:
            return _finish(step, spec, result)
        finally:
            detach(token)

    return traced


def _wrap_generator(function: Callable[..., Any], spec: Spec, given: Step | None = None) -> Callable[..., Any]:
    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        step = _begin_call(spec, args, kwargs, given)
        if step is None:
            return (yield from function(*args, **kwargs))
        try:
            generator = function(*args, **kwargs)
            resume: Callable[[Any], Any] = generator.send
            value: Any = None
            while True:
                item = _run_in(step, resume, value)
                step.chunk(item)
                try:
                    value = yield item
                    resume = generator.send
                except GeneratorExit:
                    _run_in(step, lambda _: generator.close(), None)
                    raise
                except BaseException as error:  # noqa: BLE001 - thrown into the generator, where it belongs
                    resume, value = generator.throw, error
        except StopIteration as stop:
            step.end(stop.value)
            return stop.value
        except BaseException as error:
            step.end_with(error)
            raise

    return traced


def _run_in(step: Step, resume: Callable[[Any], Any], value: Any) -> Any:
    token = otel_context.attach(step.context)
    try:
        return resume(value)
    finally:
        detach(token)


def _wrap_async_generator(function: Callable[..., Any], spec: Spec, given: Step | None = None) -> Callable[..., Any]:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        step = _begin_call(spec, args, kwargs, given)
        try:
            generator = function(*args, **kwargs)
            resume: Callable[[Any], Any] = generator.asend
            value: Any = None
            while True:
                item = await _run_in_async(step, resume, value)
                if step is not None:
                    step.chunk(item)
                try:
                    value = yield item
                    resume = generator.asend
                except GeneratorExit:
                    await _run_in_async(step, lambda _: generator.aclose(), None)
                    raise
                except BaseException as error:  # noqa: BLE001 - thrown into the generator, where it belongs
                    resume, value = generator.athrow, error
        except StopAsyncIteration:
            if step is not None:
                step.end()
        except BaseException as error:
            if step is not None:
                step.end_with(error)
            raise

    return traced


async def _run_in_async(step: Step | None, resume: Callable[[Any], Any], value: Any) -> Any:
    if step is None:
        return await resume(value)
    token = otel_context.attach(step.context)
    try:
        return await resume(value)
    finally:
        detach(token)


# By exact type: other iterables, such as a client's stream object, have methods that a wrapper would hide.
_LASTING: Final[dict[type, Callable[..., Callable[..., Any]]]] = {
    CoroutineType: _wrap_async,
    GeneratorType: _wrap_generator,
    AsyncGeneratorType: _wrap_async_generator,
}


# --- the kinds of step ---------------------------------------------------------------------------------------


def _traced(target: Callable[..., Any] | str | None, spec: Spec) -> Any:
    if target is None or isinstance(target, str):
        return Traced(replace(spec, name=target) if target else spec)
    return Traced(spec)(target)


def _only_set(attributes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in attributes.items() if value is not None}


@overload
def traced_tool(name: F, /) -> F: ...
@overload
def traced_tool(
    name: str | None = None,
    *,
    integration: str | None = None,
    action: str | None = None,
    tool_type: str = "function",
    description: str | None = None,
    call_id: str | None = None,
) -> Traced: ...
def traced_tool(
    name: Callable[..., Any] | str | None = None,
    *,
    integration: str | None = None,
    action: str | None = None,
    tool_type: str = "function",
    description: str | None = None,
    call_id: str | None = None,
) -> Any:
    """One tool call (span ``execute_tool {name}``).

    Args:
        name: the tool's name (default: the function's); bare, the function itself.
        integration: the system it talks to, such as ``calendar``.
        action: what it does there, such as ``create_event``.
        tool_type: ``function``, ``extension`` or ``datastore``.
        description: what the tool is for.
        call_id: the model's id of this call, for use with ``with``.
    """
    attributes = {
        GenAI.TOOL_TYPE: tool_type,
        GenAI.TOOL_DESCRIPTION: description,
        GenAI.TOOL_CALL_ID: call_id,
        Otelkit.TOOL_INTEGRATION: integration,
        Otelkit.TOOL_ACTION: action,
    }
    spec = Spec(
        Operation.EXECUTE_TOOL,
        GenAI.TOOL_NAME,
        attributes=_only_set(attributes),
        input_key=GenAI.TOOL_ARGUMENTS,
        output_key=GenAI.TOOL_RESULT,
    )
    return _traced(name, spec)


@overload
def traced_llm(model: F, /) -> F: ...
@overload
def traced_llm(
    model: str | None = None,
    *,
    provider: str | None = None,
    operation: str = Operation.CHAT,
    stream: bool | None = None,
) -> Traced: ...
def traced_llm(
    model: Callable[..., Any] | str | None = None,
    *,
    provider: str | None = None,
    operation: str = Operation.CHAT,
    stream: bool | None = None,
) -> Any:
    """One LLM call (span ``chat {model}``).

    Inside, report with :func:`record_usage`, :func:`record_response` and, for a stream that is not a generator,
    :func:`record_chunk`. Where a client instrumentation sees the same call, it is counted once.

    Args:
        model: the requested model; bare, the function itself.
        provider: a value of ``gen_ai.provider.name``, such as ``openai``; without it the cost is unknown.
        operation: ``chat``, ``generate_content`` or ``text_completion``.
        stream: whether the answer is streamed.
    """
    attributes = _only_set({GenAI.PROVIDER: provider, GenAI.REQUEST_STREAM: stream})
    return _traced(model, Spec(operation, GenAI.REQUEST_MODEL, SpanKind.CLIENT, attributes, named_by_function=False))


@overload
def traced_retrieval(data_source: F, /) -> F: ...
@overload
def traced_retrieval(data_source: str | None = None, *, top_k: int | None = None) -> Traced: ...
def traced_retrieval(data_source: Callable[..., Any] | str | None = None, *, top_k: int | None = None) -> Any:
    """One retrieval (span ``retrieval {data_source}``): result count and scores are read from what it returns.

    Args:
        data_source: id of what is searched (default: the function's name); bare, the function itself.
        top_k: how many results are asked for; else read from the call's ``k`` or ``top_k``.
    """
    spec = Spec(
        Operation.RETRIEVAL,
        GenAI.DATA_SOURCE_ID,
        SpanKind.CLIENT,
        _only_set({GenAI.RETRIEVAL_TOP_K: top_k}),
        input_key=GenAI.RETRIEVAL_QUERY,
    )
    return _traced(data_source, spec)


@overload
def traced_embedding(model: F, /) -> F: ...
@overload
def traced_embedding(
    model: str | None = None, *, provider: str | None = None, dimensions: int | None = None
) -> Traced: ...
def traced_embedding(
    model: Callable[..., Any] | str | None = None, *, provider: str | None = None, dimensions: int | None = None
) -> Any:
    """One embedding call (span ``embeddings {model}``).

    Args:
        model: the embedding model; bare, the function itself.
        provider: a value of ``gen_ai.provider.name``.
        dimensions: length of the vectors.
    """
    attributes = _only_set({GenAI.PROVIDER: provider, GenAI.EMBEDDING_DIMENSIONS: dimensions})
    spec = Spec(Operation.EMBEDDINGS, GenAI.REQUEST_MODEL, SpanKind.CLIENT, attributes, named_by_function=False)
    return _traced(model, spec)


@overload
def traced_rerank(model: F, /) -> F: ...
@overload
def traced_rerank(model: str | None = None, *, provider: str | None = None) -> Traced: ...
def traced_rerank(model: Callable[..., Any] | str | None = None, *, provider: str | None = None) -> Any:
    """One rerank (span ``rerank {model}``); scores are read from what it returns.

    Args:
        model: the reranker (default: the function's name); bare, the function itself.
        provider: a value of ``gen_ai.provider.name``.
    """
    attributes = _only_set({GenAI.PROVIDER: provider})
    return _traced(model, Spec(Operation.RERANK, Otelkit.RERANK_MODEL, SpanKind.CLIENT, attributes))


@overload
def traced_agent(name: F, /) -> F: ...
@overload
def traced_agent(name: str | None = None, *, agent_id: str | None = None) -> Traced: ...
def traced_agent(name: Callable[..., Any] | str | None = None, *, agent_id: str | None = None) -> Any:
    """One run of an agent (span ``invoke_agent {name}``); steps inside carry its name.

    Args:
        name: the agent's name (default: the function's); bare, the function itself.
        agent_id: its id, where it has one.
    """
    attributes = _only_set({GenAI.AGENT_ID: agent_id})
    return _traced(name, Spec(Operation.INVOKE_AGENT, GenAI.AGENT_NAME, attributes=attributes))


@overload
def traced_workflow(name: F, /) -> F: ...
@overload
def traced_workflow(name: str | None = None) -> Traced: ...
def traced_workflow(name: Callable[..., Any] | str | None = None) -> Any:
    """One run of a workflow or pipeline (span ``invoke_workflow {name}``).

    Args:
        name: the workflow's name (default: the function's); bare, the function itself.
    """
    return _traced(name, Spec(Operation.INVOKE_WORKFLOW, GenAI.WORKFLOW_NAME))


@overload
def traced_job(name: F, /) -> F: ...
@overload
def traced_job(name: str | None = None) -> Traced: ...
def traced_job(name: Callable[..., Any] | str | None = None) -> Any:
    """One run of a background job (span ``run_job {name}``).

    Args:
        name: the job's name (default: the function's); bare, the function itself.
    """
    return _traced(name, Spec(Operation.JOB, Otelkit.JOB_NAME, SpanKind.CONSUMER))


@overload
def sync(integration: F, /) -> F: ...
@overload
def sync(integration: str | None = None, *, group: object = None) -> Traced: ...
def sync(integration: Callable[..., Any] | str | None = None, *, group: object = None) -> Any:
    """One sync with another system (span ``sync {integration}``), counted by integration and outcome.

    Args:
        integration: the other system, such as ``calendar`` (default: the function's name); bare, the function itself.
        group: your id of whom it is for; on the span as a pseudonym, never on a metric.
    """
    return _traced(integration, Spec(Operation.SYNC, Otelkit.SYNC_INTEGRATION, SpanKind.CLIENT, group=group))


# --- reports on the current step -----------------------------------------------------------------------------


def record_usage(
    *,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    cached_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    reasoning_tokens: int | None = None,
) -> None:
    """Report tokens on the current step; see :meth:`Step.record_usage`."""
    current_step().record_usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached_tokens,
        cache_write_tokens=cache_write_tokens,
        reasoning_tokens=reasoning_tokens,
    )


def record_response(
    *, model: str | None = None, id: str | None = None, finish_reasons: Iterable[str] | None = None
) -> None:
    """Report on the current step which model answered, the answer's id and why it ended."""
    current_step().record_response(model=model, id=id, finish_reasons=finish_reasons)


def record_messages(*, input: Iterable[Any] = (), output: Iterable[Any] = ()) -> None:
    """Report on the current step what an LLM was told and said; see :meth:`Step.record_messages`."""
    current_step().record_messages(input=input, output=output)


def record_results(results: Iterable[Any], scores: Iterable[float] | None = None) -> None:
    """Report on the current step what a retrieval found; see :meth:`Step.record_results`."""
    current_step().record_results(results, scores)


def record_chunk(content: object = None) -> None:
    """Report one chunk of a stream on the current step; the first gives the time to first chunk."""
    current_step().chunk(content)
