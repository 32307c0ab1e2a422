"""Requests to the stand-in for OpenAI's API: read, checked, and refused in the shapes of the real one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from otelkit.testing.openai_tokens import text_of

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
MOST_DIMENSIONS = 3072


class ApiError(Exception):
    """A refusal: an HTTP status and the real API's `{"error": {message, type, param, code}}`."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        type: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.code = code
        self.headers = dict(headers or {})
        self.body = {"error": {"message": message, "type": type, "param": param, "code": code}}


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A checked body of `POST /v1/chat/completions`; only what the stand-in acts on."""

    model: str
    messages: tuple[Mapping[str, Any], ...]
    digest: str
    """Hash of the whole body: identical requests get identical answers."""
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str = "auto"
    """`none`, `auto`, `required`, or the name of the one function to call."""
    parallel_tool_calls: bool = True
    stream: bool = False
    include_usage: bool = False
    n: int = 1
    limit: int | None = None
    """Most completion tokens of a choice."""
    stop: tuple[str, ...] = ()
    response_format: Mapping[str, Any] | None = None
    metadata: Mapping[str, object] | None = None

    @property
    def question(self) -> str:
        """Text of the last user message, or nothing."""
        return next((text_of(m.get("content")) for m in reversed(self.messages) if m["role"] == "user"), "")


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """A checked body of `POST /v1/embeddings`. Inputs given as token ids become their decimal spelling."""

    model: str
    inputs: tuple[str, ...]
    token_counts: tuple[int | None, ...]
    """Length of each input that came as token ids; None where it came as text and has to be counted."""
    digest: str
    dimensions: int | None = None
    base64: bool = False


def body_of(raw: bytes) -> dict[str, Any]:
    """The JSON object in a request's body. Raises ApiError 400."""
    try:
        body = json.loads(raw)
    except ValueError:
        raise ApiError(400, "The request's body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The request's body has to be a JSON object.")
    return body


def digest_of(body: Mapping[str, Any]) -> str:
    """A hash of the body that does not depend on the order of its keys."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def chat_request(body: Mapping[str, Any]) -> ChatRequest:
    """Check a chat body. Raises ApiError 400 that names the parameter."""
    tools = _typed(body, "tools", list, None)
    if tools == []:
        raise _invalid("tools", "at least one tool, or no such parameter")
    tools = tools or []
    for index, tool in enumerate(tools):
        if _function_name(tool) is None:
            raise _invalid(f"tools[{index}]", "a function with a name")
    stream = bool(_typed(body, "stream", bool, False))
    options = _typed(body, "stream_options", dict, None)
    if options is not None and not stream:
        raise ApiError(400, "'stream_options' is only allowed together with 'stream': true.", param="stream_options")
    stop = body.get("stop") or ()
    _number(body, "temperature", 0, 2)
    _number(body, "top_p", 0, 1)
    limit = _integer(body, "max_completion_tokens", 1, None)
    return ChatRequest(
        model=_required(body, "model", str),
        messages=_messages(body),
        digest=digest_of(body),
        tools=tuple(tools),
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
        parallel_tool_calls=bool(_typed(body, "parallel_tool_calls", bool, True)),
        stream=stream,
        include_usage=bool((options or {}).get("include_usage")),
        n=_integer(body, "n", 1, 128) or 1,
        limit=limit if limit is not None else _integer(body, "max_tokens", 1, None),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        response_format=_typed(body, "response_format", dict, None),
        metadata=_typed(body, "metadata", dict, None),
    )


def embedding_request(body: Mapping[str, Any]) -> EmbeddingRequest:
    """Check an embeddings body. Raises ApiError 400 that names the parameter."""
    given = body.get("input")
    many = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    inputs: list[str] = []
    counts: list[int | None] = []
    for item in many:
        if isinstance(item, str) and item:
            inputs.append(item)
            counts.append(None)
        elif isinstance(item, list) and item and all(type(token) is int for token in item):
            inputs.append(" ".join(map(str, item)))
            counts.append(len(item))
        else:
            raise _invalid("input", "a text or a list of texts or token ids, none of them empty")
    encoding = body.get("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise _invalid("encoding_format", "'float' or 'base64'")
    return EmbeddingRequest(
        model=_required(body, "model", str),
        inputs=tuple(inputs),
        token_counts=tuple(counts),
        digest=digest_of(body),
        dimensions=_integer(body, "dimensions", 1, MOST_DIMENSIONS),
        base64=encoding == "base64",
    )


def _messages(body: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    messages = _required(body, "messages", list)
    if not messages:
        raise _invalid("messages", "at least one message")
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, Mapping) or message.get("role") not in ROLES:
            raise _invalid(f"{where}.role", f"one of {', '.join(ROLES)}")
        content = message.get("content")
        if content is not None and not isinstance(content, str | list):
            raise _invalid(f"{where}.content", "a string or a list of parts")
        if content is None and not message.get("tool_calls") and message["role"] != "assistant":
            raise _invalid(f"{where}.content", "a string or a list of parts")
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise ApiError(
                    400, "A message with role 'tool' has to answer a call in a preceding 'tool_calls'.", param=where
                )
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            missing = ", ".join(sorted(open_calls))
            raise ApiError(400, f"These tool calls were not answered by 'tool' messages: {missing}.", param=where)
        open_calls |= _call_ids(message, where)
    if open_calls:
        raise ApiError(400, f"These tool calls were not answered: {', '.join(sorted(open_calls))}.", param="messages")
    return tuple(messages)


def _call_ids(message: Mapping[str, Any], where: str) -> set[str]:
    calls = message.get("tool_calls") or ()
    for call in calls:
        function = call.get("function") if isinstance(call, Mapping) else None
        arguments = function.get("arguments") if isinstance(function, Mapping) else None
        if _function_name(call) is None or not isinstance(arguments, str) or not isinstance(call.get("id"), str):
            raise _invalid(f"{where}.tool_calls", "calls with an id and a function's name and arguments")
    return {call["id"] for call in calls}


def _tool_choice(given: object, tools: list[Any]) -> str:
    if given is None:
        return "auto" if tools else "none"
    if isinstance(given, Mapping):
        name = _function_name(given)
        if name is None or name not in [_function_name(tool) for tool in tools]:
            raise _invalid("tool_choice", "the name of a function in 'tools'")
        return name
    if given not in ("none", "auto", "required"):
        raise _invalid("tool_choice", "'none', 'auto', 'required' or a function")
    return str(given)


def _function_name(tool: object) -> str | None:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else None


def _invalid(param: str, expected: str) -> ApiError:
    return ApiError(400, f"Invalid value for '{param}': expected {expected}.", param=param, code="invalid_value")


def _required(body: Mapping[str, Any], name: str, kind: type) -> Any:
    if body.get(name) is None:
        raise ApiError(400, f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    return _typed(body, name, kind, None)


def _typed(body: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        found = type(value).__name__
        message = f"Invalid type for '{name}': expected {kind.__name__}, got {found}."
        raise ApiError(400, message, param=name, code="invalid_type")
    return value


def _number(body: Mapping[str, Any], name: str, low: float, high: float) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiError(400, f"Invalid type for '{name}': expected a number.", param=name, code="invalid_type")
    if not low <= value <= high:
        raise _invalid(name, f"a number from {low} to {high}")


def _integer(body: Mapping[str, Any], name: str, low: int, high: int | None) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int:
        raise ApiError(400, f"Invalid type for '{name}': expected an integer.", param=name, code="invalid_type")
    if value < low or (high is not None and value > high):
        raise _invalid(name, f"an integer from {low}" + (f" to {high}" if high is not None else " up"))
    return value
