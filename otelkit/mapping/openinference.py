"""OpenInference attributes as GenAI attributes: a merge of small functions from attributes to attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from otelkit.mapping.documents import Document, document_attributes
from otelkit.mapping.messages import flattened, messages_json, openinference_message, parsed
from otelkit.mapping.providers import canonical_provider
from otelkit.model import Attributes, AttributeValue
from otelkit.semconv.attributes import GenAI, Operation, Otelkit
from otelkit.semconv.attributes import OpenInference as OI

__all__ = ["OPERATIONS", "PREFIXES", "RENAMED", "consumed", "converted"]

OPERATIONS: Final = {
    "LLM": Operation.CHAT,
    "EMBEDDING": Operation.EMBEDDINGS,
    "RETRIEVER": Operation.RETRIEVAL,
    "RERANKER": Operation.RERANK,
    "TOOL": Operation.EXECUTE_TOOL,
    "AGENT": Operation.INVOKE_AGENT,
}
# What input.value and output.value are, by kind; other kinds' are plain input and output.
_INPUTS: Final = {
    "TOOL": GenAI.TOOL_ARGUMENTS,
    "RETRIEVER": GenAI.RETRIEVAL_QUERY,
    "RERANKER": GenAI.RETRIEVAL_QUERY,
}
_OUTPUTS: Final = {"TOOL": GenAI.TOOL_RESULT}

RENAMED: Final = {
    OI.PROMPT_TOKENS: GenAI.INPUT_TOKENS,
    OI.COMPLETION_TOKENS: GenAI.OUTPUT_TOKENS,
    OI.CACHE_READ: GenAI.CACHE_READ_TOKENS,
    OI.CACHE_WRITE: GenAI.CACHE_WRITE_TOKENS,
    OI.REASONING: GenAI.REASONING_TOKENS,
    OI.AGENT_NAME: GenAI.AGENT_NAME,
    OI.TOOL_NAME: GenAI.TOOL_NAME,
    OI.TOOL_ID: GenAI.TOOL_CALL_ID,
    OI.TOOL_DESCRIPTION: GenAI.TOOL_DESCRIPTION,
    OI.TOOL_PARAMETERS: GenAI.TOOL_ARGUMENTS,
    OI.TOTAL_TOKENS: "",  # a sum of the above
    OI.RERANKER_QUERY: GenAI.RETRIEVAL_QUERY,
    OI.RERANKER_MODEL: Otelkit.RERANK_MODEL,
}
_PARAMETERS: Final = {
    "model": GenAI.REQUEST_MODEL,
    "max_tokens": GenAI.REQUEST_MAX_TOKENS,
    "max_completion_tokens": GenAI.REQUEST_MAX_TOKENS,
    "temperature": GenAI.REQUEST_TEMPERATURE,
    "top_p": GenAI.REQUEST_TOP_P,
    "top_k": GenAI.REQUEST_TOP_K,
    "seed": GenAI.REQUEST_SEED,
    "frequency_penalty": GenAI.REQUEST_FREQUENCY_PENALTY,
    "presence_penalty": GenAI.REQUEST_PRESENCE_PENALTY,
    "n": GenAI.REQUEST_CHOICE_COUNT,
    "dimensions": GenAI.EMBEDDING_DIMENSIONS,
}
_ELSEWHERE: Final = frozenset(
    {
        *(OI.KIND, OI.MODEL, OI.PROVIDER, OI.SYSTEM, OI.INVOCATION_PARAMETERS, OI.EMBEDDING_PARAMETERS),
        *(OI.FINISH_REASON, OI.INPUT_VALUE, OI.OUTPUT_VALUE, OI.INPUT_MIME, OI.OUTPUT_MIME, OI.EMBEDDING_MODEL),
    }
)
PREFIXES: Final = (
    *(OI.INPUT_MESSAGES + ".", OI.OUTPUT_MESSAGES + ".", OI.PROMPTS + ".", OI.CHOICES + ".", OI.TOOLS + "."),
    *(OI.RETRIEVAL_DOCUMENTS + ".", OI.RERANKER_DOCUMENTS + ".", "reranker.input_documents."),
    OI.EMBEDDINGS + ".",
)
# The provider's own id of the answer, in the JSON of the answer. Ids inside content stand behind escaped quotes.
_RESPONSE_ID: Final = re.compile(r'"id": ?"((?:chatcmpl|cmpl|resp|msg|gen)[-_][\w-]{4,120})"')
_LOOK_IN: Final = 65_536


def consumed(key: str) -> bool:
    """Whether :func:`converted` says under another name (or had no use for) what stands under this key."""
    return key in RENAMED or key in _ELSEWHERE or key.startswith(PREFIXES)


def converted(attributes: Attributes) -> dict[str, AttributeValue]:
    """Return the GenAI attributes that OpenInference attributes stand for.

    Of what the spans carry twice (messages, and the whole request as JSON) the messages are kept.
    """
    kind = str(attributes.get(OI.KIND, "")).upper()
    found: dict[str, AttributeValue] = {}
    for part in (_renamed, _parameters, _names, _messages, _documents, _tools, _response):
        found.update(part(attributes, kind))
    found.update(_values(attributes, kind, found))
    return found


def _renamed(attributes: Attributes, kind: str) -> dict[str, AttributeValue]:
    return {RENAMED[key]: value for key, value in attributes.items() if RENAMED.get(key)}


def _names(attributes: Attributes, kind: str) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {}
    if kind == "LLM" and any(key.startswith((OI.PROMPTS, OI.CHOICES)) for key in attributes):
        found[GenAI.OPERATION] = Operation.TEXT_COMPLETION
    elif kind in OPERATIONS:
        found[GenAI.OPERATION] = OPERATIONS[kind]
    elif kind:
        found[Otelkit.STEP] = kind.lower()
    provider = _provider(_text(attributes, OI.PROVIDER), _text(attributes, OI.SYSTEM))
    return found | ({GenAI.PROVIDER: provider} if provider else {})


def _provider(provider: str, system: str) -> str:
    provider, system = provider.lower(), system.lower()
    if provider == "azure" and system != "openai":
        return "azure.ai.inference"
    if system == "vertexai" and provider in ("", "google"):
        return "gcp.vertex_ai"
    return canonical_provider(provider or system)


def _parameters(attributes: Attributes, kind: str) -> dict[str, AttributeValue]:
    """The request's parameters; the model's name in them is what was asked for, in ``llm.model_name`` what answered."""
    given = _mapping(attributes.get(OI.EMBEDDING_PARAMETERS)) | _mapping(attributes.get(OI.INVOCATION_PARAMETERS))
    found: dict[str, AttributeValue] = {
        name: given[key] for key, name in _PARAMETERS.items() if isinstance(given.get(key), str | int | float)
    }
    if given.get("stream") is True:
        found[GenAI.REQUEST_STREAM] = True
    stop = given.get("stop")
    if isinstance(stop, str) or (isinstance(stop, list) and stop and all(isinstance(one, str) for one in stop)):
        found[GenAI.REQUEST_STOP_SEQUENCES] = (stop,) if isinstance(stop, str) else tuple(stop)
    if found.get(GenAI.REQUEST_CHOICE_COUNT) == 1:
        del found[GenAI.REQUEST_CHOICE_COUNT]
    answered = _text(attributes, OI.MODEL) or _text(attributes, OI.EMBEDDING_MODEL)
    if answered:
        asked = found.setdefault(GenAI.REQUEST_MODEL, answered)
        if asked != answered:
            found[GenAI.RESPONSE_MODEL] = answered
    return found


def _messages(attributes: Attributes, kind: str) -> dict[str, AttributeValue]:
    reason = attributes.get(OI.FINISH_REASON)
    finish = reason if isinstance(reason, str) else ""
    written = {
        GenAI.INPUT_MESSAGES: messages_json(attributes, OI.INPUT_MESSAGES, openinference_message)
        or messages_json(attributes, OI.PROMPTS, _completion("prompt", "user")),
        GenAI.OUTPUT_MESSAGES: messages_json(attributes, OI.OUTPUT_MESSAGES, openinference_message, finish)
        or messages_json(attributes, OI.CHOICES, _completion("completion", "assistant"), finish),
    }
    found: dict[str, AttributeValue] = {key: text for key, text in written.items() if text}
    if reason:
        found[GenAI.FINISH_REASONS] = (reason,) if isinstance(reason, str) else reason
    return found


def _completion(holder: str, role: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def read(item: dict[str, Any]) -> dict[str, Any]:
        text = item.get(holder, {}).get("text") if isinstance(item.get(holder), dict) else None
        return {"role": role, "parts": [{"type": "text", "content": text}] if text is not None else []}

    return read


def _documents(attributes: Attributes, kind: str) -> dict[str, AttributeValue]:
    prefix = OI.RERANKER_DOCUMENTS if kind == "RERANKER" else OI.RETRIEVAL_DOCUMENTS
    items = [item["document"] for item in flattened(attributes, prefix) if isinstance(item.get("document"), dict)]
    if not items:
        return {}
    return document_attributes([Document(_id(one.get("id")), _score(one.get("score"))) for one in items])


def _id(value: object) -> str | None:
    return None if value is None else str(value)


def _score(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _tools(attributes: Attributes, kind: str) -> dict[str, AttributeValue]:
    """Definitions as the provider's JSON of each: they differ, and the conventions allow any object."""
    schemas = [item.get("tool", {}) for item in flattened(attributes, OI.TOOLS) if isinstance(item.get("tool"), dict)]
    texts = [schema["json_schema"] for schema in schemas if isinstance(schema.get("json_schema"), str)]
    return {GenAI.TOOL_DEFINITIONS: "[" + ", ".join(texts) + "]"} if texts else {}


def _response(attributes: Attributes, kind: str) -> dict[str, AttributeValue]:
    if kind != "LLM":
        return {}
    match = _RESPONSE_ID.search(_text(attributes, OI.OUTPUT_VALUE)[:_LOOK_IN])
    return {GenAI.RESPONSE_ID: match[1]} if match else {}


def _values(attributes: Attributes, kind: str, so_far: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {}
    if kind == "EMBEDDING":
        return found
    if OI.INPUT_VALUE in attributes and GenAI.INPUT_MESSAGES not in so_far:
        found[_INPUTS.get(kind, Otelkit.INPUT_VALUE)] = attributes[OI.INPUT_VALUE]
    # The documents of a retrieval are its output; their text stays behind.
    if OI.OUTPUT_VALUE in attributes and GenAI.OUTPUT_MESSAGES not in so_far and kind not in ("RETRIEVER", "RERANKER"):
        found[_OUTPUTS.get(kind, Otelkit.OUTPUT_VALUE)] = attributes[OI.OUTPUT_VALUE]
    return found


def _mapping(value: object) -> dict[str, Any]:
    given = parsed(value)
    return given if isinstance(given, dict) else {}


def _text(attributes: Attributes, key: str) -> str:
    value = attributes.get(key)
    return value if isinstance(value, str) else ""
