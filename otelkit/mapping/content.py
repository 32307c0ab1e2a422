"""Which attributes hold content: what people wrote, models answered, tools were given, documents say."""

from __future__ import annotations

from typing import Final

from otelkit.semconv.attributes import GenAI, OpenInference, Otelkit, Traceloop

__all__ = ["is_content"]

_NAMES: Final = frozenset(
    {
        *(GenAI.TOOL_ARGUMENTS, GenAI.TOOL_RESULT, GenAI.TOOL_DEFINITIONS, GenAI.SYSTEM_INSTRUCTIONS),
        *(GenAI.INPUT_MESSAGES, GenAI.OUTPUT_MESSAGES, GenAI.RETRIEVAL_QUERY, GenAI.RETRIEVAL_DOCUMENTS),
        *(Otelkit.INPUT_VALUE, Otelkit.OUTPUT_VALUE),
        *(OpenInference.INPUT_VALUE, OpenInference.OUTPUT_VALUE, OpenInference.RERANKER_QUERY),
        *(OpenInference.TOOL_PARAMETERS, OpenInference.METADATA, OpenInference.INVOCATION_PARAMETERS),
        *(Traceloop.ENTITY_INPUT, Traceloop.ENTITY_OUTPUT),
        # pydantic-ai, logfire, MLflow, Vercel's AI SDK
        *("all_messages", "all_messages_events", "final_result", "tool_arguments", "tool_response"),
        *("pydantic_ai.all_messages", "model_request_parameters", "request_data", "response_data", "events"),
        *("mlflow.spanInputs", "mlflow.spanOutputs", "ai.response.text", "ai.toolCall.args", "ai.toolCall.result"),
        *("gen_ai.event.content", "gen_ai.evaluation.explanation", "langfuse.observation.input"),
        *("langfuse.observation.output", "langfuse.trace.input", "langfuse.trace.output", "message.content"),
        *("document.content", "embedding.text", "exception.locals", "code.locals", "http.request.body"),
        *("http.response.body", "db.query.parameters"),
    }
)
# With everything below them, as in llm.input_messages.0.message.content.
_PREFIXES: Final = (
    *(OpenInference.INPUT_MESSAGES, OpenInference.OUTPUT_MESSAGES, OpenInference.TOOLS, OpenInference.EMBEDDINGS),
    *(OpenInference.RERANKER_DOCUMENTS, OpenInference.RETRIEVAL_DOCUMENTS, OpenInference.PROMPT_TEMPLATE),
    *(OpenInference.PROMPTS, OpenInference.CHOICES, "reranker.input_documents", "llm.function_call"),
    *(Traceloop.PROMPTS, Traceloop.COMPLETIONS, Traceloop.FUNCTIONS, Traceloop.QUERY_RESULT),
    *("ai.prompt", "gen_ai.content", "gcp.vertex.agent", "exception.locals", "db.query.parameter"),
)
_DOTTED: Final = tuple(prefix + "." for prefix in _PREFIXES)
_ALL: Final = _NAMES | set(_PREFIXES)


def is_content(key: str) -> bool:
    """Whether the attribute under this key holds content, in any of the conventions."""
    return key in _ALL or key.startswith(_DOTTED)
