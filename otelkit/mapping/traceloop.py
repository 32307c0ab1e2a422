"""Traceloop's attributes, and those of older gen_ai drafts, as GenAI attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from otelkit.mapping.documents import Document, document_attributes
from otelkit.mapping.messages import flattened, messages_json, traceloop_message
from otelkit.model import Attributes, AttributeValue, SpanEvent
from otelkit.semconv.attributes import Core, GenAI, Operation, Otelkit
from otelkit.semconv.attributes import Traceloop as TL

__all__ = ["KINDS", "PREFIXES", "RENAMED", "REQUESTS", "consumed", "converted"]

RENAMED: Final = {
    GenAI.SYSTEM: GenAI.PROVIDER,
    GenAI.CACHE_CREATION_TOKENS: GenAI.CACHE_WRITE_TOKENS,
    TL.PROMPT_TOKENS: GenAI.INPUT_TOKENS,
    TL.COMPLETION_TOKENS: GenAI.OUTPUT_TOKENS,
    TL.LLM_PROMPT_TOKENS: GenAI.INPUT_TOKENS,
    TL.LLM_COMPLETION_TOKENS: GenAI.OUTPUT_TOKENS,
    TL.CACHE_READ: GenAI.CACHE_READ_TOKENS,
    TL.CACHE_WRITE: GenAI.CACHE_WRITE_TOKENS,
    TL.REASONING: GenAI.REASONING_TOKENS,
    TL.MODEL: GenAI.REQUEST_MODEL,
    TL.RESPONSE_MODEL: GenAI.RESPONSE_MODEL,
    TL.STREAMING: GenAI.REQUEST_STREAM,
    TL.GEN_AI_STREAMING: GenAI.REQUEST_STREAM,
    TL.USER: Core.USER_ID,
    TL.LLM_USER: Core.USER_ID,
    TL.WORKFLOW_NAME: GenAI.WORKFLOW_NAME,
    TL.VECTOR_TOP_K: GenAI.RETRIEVAL_TOP_K,
    TL.ASSOCIATION + ".user_id": Core.USER_ID,
    TL.ASSOCIATION + ".session_id": GenAI.CONVERSATION_ID,
    TL.ASSOCIATION + ".conversation_id": GenAI.CONVERSATION_ID,
    TL.TOTAL_TOKENS: "",  # a sum of the others
    TL.LLM_TOTAL_TOKENS: "",
}
# Kind of a step → operation, and the attributes that its name, input and output are.
KINDS: Final = {
    "workflow": (Operation.INVOKE_WORKFLOW, GenAI.WORKFLOW_NAME, Otelkit.INPUT_VALUE, Otelkit.OUTPUT_VALUE),
    "agent": (Operation.INVOKE_AGENT, GenAI.AGENT_NAME, Otelkit.INPUT_VALUE, Otelkit.OUTPUT_VALUE),
    "tool": (Operation.EXECUTE_TOOL, GenAI.TOOL_NAME, GenAI.TOOL_ARGUMENTS, GenAI.TOOL_RESULT),
}
REQUESTS: Final = {
    "chat": Operation.CHAT,
    "completion": Operation.TEXT_COMPLETION,
    "embedding": Operation.EMBEDDINGS,
    "rerank": Operation.RERANK,
}
_ELSEWHERE: Final = frozenset({TL.KIND, TL.ENTITY_NAME, TL.ENTITY_INPUT, TL.ENTITY_OUTPUT, TL.REQUEST_TYPE})
PREFIXES: Final = (TL.PROMPTS + ".", TL.COMPLETIONS + ".", TL.FUNCTIONS + ".")


def consumed(key: str) -> bool:
    """Whether :func:`converted` says under another name what stands under this key."""
    return key in RENAMED or key in _ELSEWHERE or key.startswith(PREFIXES)


def converted(attributes: Attributes, events: Sequence[SpanEvent] = ()) -> dict[str, AttributeValue]:
    """Return the GenAI attributes that Traceloop's and older drafts' attributes and span events stand for."""
    found: dict[str, AttributeValue] = {}
    for key, value in attributes.items():
        name = RENAMED.get(key)
        if name:
            found.setdefault(name, value)
    for part in (_kind(attributes), _request(attributes), _messages(attributes), _results(events)):
        found.update(part)
    if TL.VECTOR_TOP_K in attributes or GenAI.RETRIEVAL_DOCUMENTS in found or Otelkit.RESULT_COUNT in found:
        found.setdefault(GenAI.OPERATION, Operation.RETRIEVAL)
    return found


def _kind(attributes: Attributes) -> dict[str, AttributeValue]:
    kind = attributes.get(TL.KIND)
    if not isinstance(kind, str):
        return {}
    found: dict[str, AttributeValue] = {}
    name, given, gave = Otelkit.STEP, Otelkit.INPUT_VALUE, Otelkit.OUTPUT_VALUE
    if kind in KINDS:
        found[GenAI.OPERATION], name, given, gave = KINDS[kind]
        sources = {name: TL.ENTITY_NAME}
    else:
        found[name] = kind
        sources = {}
    for target, source in (sources | {given: TL.ENTITY_INPUT, gave: TL.ENTITY_OUTPUT}).items():
        if source in attributes:
            found[target] = attributes[source]
    return found


def _request(attributes: Attributes) -> dict[str, AttributeValue]:
    operation = REQUESTS.get(str(attributes.get(TL.REQUEST_TYPE)))
    return {GenAI.OPERATION: operation} if operation else {}


def _messages(attributes: Attributes) -> dict[str, AttributeValue]:
    written = {
        GenAI.INPUT_MESSAGES: messages_json(attributes, TL.PROMPTS, traceloop_message),
        GenAI.OUTPUT_MESSAGES: messages_json(attributes, TL.COMPLETIONS, traceloop_message),
    }
    found: dict[str, AttributeValue] = {key: text for key, text in written.items() if text}
    reasons = [item.get("finish_reason") for item in flattened(attributes, TL.COMPLETIONS)]
    told = tuple(reason for reason in reasons if isinstance(reason, str) and reason)
    return found | ({GenAI.FINISH_REASONS: told} if told else {})


def _results(events: Sequence[SpanEvent]) -> dict[str, AttributeValue]:
    results = [event.attributes for event in events if event.name == TL.QUERY_RESULT]
    if not results:
        return {}
    documents = []
    for one in results:
        key, score = one.get(TL.QUERY_RESULT + ".id"), one.get(TL.QUERY_RESULT + ".score")
        number = float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None
        documents.append(Document(None if key is None else str(key), number))
    return document_attributes(documents)
