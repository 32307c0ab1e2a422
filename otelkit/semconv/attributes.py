"""Attribute names, once each, grouped by the convention that defines them.

Sources: OpenTelemetry semantic conventions (core 1.41 and the GenAI repository's main, October 2026), OpenInference
0.1.42, Traceloop's ``opentelemetry-semantic-conventions-ai``. Names starting with ``otelkit.`` are ours because no
convention has them yet.
"""

from __future__ import annotations

from typing import Final


class GenAI:
    """OpenTelemetry GenAI conventions (``gen_ai.*``)."""

    OPERATION: Final = "gen_ai.operation.name"
    PROVIDER: Final = "gen_ai.provider.name"
    SYSTEM: Final = "gen_ai.system"  # legacy name of PROVIDER
    CONVERSATION_ID: Final = "gen_ai.conversation.id"
    OUTPUT_TYPE: Final = "gen_ai.output.type"
    REQUEST_MODEL: Final = "gen_ai.request.model"
    REQUEST_STREAM: Final = "gen_ai.request.stream"
    REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
    REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
    REQUEST_TOP_P: Final = "gen_ai.request.top_p"
    REQUEST_TOP_K: Final = "gen_ai.request.top_k"  # on retrievals the legacy name of RETRIEVAL_TOP_K
    REQUEST_SEED: Final = "gen_ai.request.seed"
    REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
    REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
    REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
    REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
    RESPONSE_ID: Final = "gen_ai.response.id"
    RESPONSE_MODEL: Final = "gen_ai.response.model"
    FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
    TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"  # seconds
    INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"  # includes cached
    OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"  # includes reasoning
    CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
    CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
    CACHE_CREATION_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"  # legacy name of CACHE_WRITE_TOKENS
    REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
    TOKEN_TYPE: Final = "gen_ai.token.type"  # metric attribute: input, output
    AGENT_ID: Final = "gen_ai.agent.id"
    AGENT_NAME: Final = "gen_ai.agent.name"
    WORKFLOW_NAME: Final = "gen_ai.workflow.name"
    TOOL_NAME: Final = "gen_ai.tool.name"
    TOOL_TYPE: Final = "gen_ai.tool.type"
    TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
    TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
    TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"  # content
    TOOL_RESULT: Final = "gen_ai.tool.call.result"  # content
    TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"  # content
    SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"  # content
    INPUT_MESSAGES: Final = "gen_ai.input.messages"  # content
    OUTPUT_MESSAGES: Final = "gen_ai.output.messages"  # content
    DATA_SOURCE_ID: Final = "gen_ai.data_source.id"
    RETRIEVAL_TOP_K: Final = "gen_ai.retrieval.top_k"
    RETRIEVAL_QUERY: Final = "gen_ai.retrieval.query.text"  # content
    RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"  # content: [{id, score}]
    EMBEDDING_DIMENSIONS: Final = "gen_ai.embeddings.dimension.count"


class Operation:
    """Values of ``gen_ai.operation.name``; ``rerank``, ``run_job`` and ``sync`` are ours until one names them."""

    CHAT: Final = "chat"
    GENERATE_CONTENT: Final = "generate_content"
    TEXT_COMPLETION: Final = "text_completion"
    EMBEDDINGS: Final = "embeddings"
    RETRIEVAL: Final = "retrieval"
    RERANK: Final = "rerank"
    EXECUTE_TOOL: Final = "execute_tool"
    CREATE_AGENT: Final = "create_agent"
    INVOKE_AGENT: Final = "invoke_agent"
    INVOKE_WORKFLOW: Final = "invoke_workflow"
    JOB: Final = "run_job"
    SYNC: Final = "sync"

    # The leaves that tokens are counted on: agents and workflows restate their children's totals.
    INFERENCE: Final = frozenset({"chat", "generate_content", "text_completion"})


class Core:
    """OpenTelemetry core conventions."""

    SERVICE_NAME: Final = "service.name"
    SERVICE_NAMESPACE: Final = "service.namespace"
    SERVICE_VERSION: Final = "service.version"
    SERVICE_INSTANCE_ID: Final = "service.instance.id"
    DEPLOYMENT_ENVIRONMENT: Final = "deployment.environment.name"
    ERROR_TYPE: Final = "error.type"
    EXCEPTION_TYPE: Final = "exception.type"
    EXCEPTION_MESSAGE: Final = "exception.message"
    EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
    EXCEPTION_EVENT: Final = "exception"  # name of the span event
    USER_ID: Final = "user.id"
    SESSION_ID: Final = "session.id"
    SERVER_ADDRESS: Final = "server.address"
    SERVER_PORT: Final = "server.port"
    HTTP_METHOD: Final = "http.request.method"
    HTTP_STATUS: Final = "http.response.status_code"
    HTTP_ROUTE: Final = "http.route"
    URL_PATH: Final = "url.path"
    URL_QUERY: Final = "url.query"
    URL_FULL: Final = "url.full"
    URL_SCHEME: Final = "url.scheme"
    CLIENT_ADDRESS: Final = "client.address"
    CODE_FUNCTION: Final = "code.function.name"
    CODE_FILE: Final = "code.file.path"
    CODE_LINE: Final = "code.line.number"
    DB_SYSTEM: Final = "db.system.name"
    LEGACY_DB_SYSTEM: Final = "db.system"  # its fellows are in Database
    LEGACY_HTTP_METHOD: Final = "http.method"
    MESSAGING_SYSTEM: Final = "messaging.system"  # celery, rq, arq …
    LOG_RECORD_UID: Final = "log.record.uid"
    THREAD_NAME: Final = "thread.name"


class WebSocket:
    """Of a WebSocket connection: ours, because no convention has them yet."""

    CLOSE_CODE: Final = "websocket.close.code"
    DIRECTION: Final = "websocket.message.direction"  # received, sent


class Messaging:
    """OpenTelemetry messaging conventions, as far as queues of jobs have them."""

    DESTINATION: Final = "messaging.destination.name"  # the queue
    OPERATION_TYPE: Final = "messaging.operation.type"  # process
    MESSAGE_ID: Final = "messaging.message.id"
    CLIENT_ID: Final = "messaging.client.id"  # the worker


class Database:
    """OpenTelemetry database conventions, stable since 1.33, and the names before them, which are only read."""

    NAMESPACE: Final = "db.namespace"
    OPERATION: Final = "db.operation.name"
    COLLECTION: Final = "db.collection.name"
    QUERY_TEXT: Final = "db.query.text"  # without values, whoever recorded it
    QUERY_SUMMARY: Final = "db.query.summary"
    RESPONSE_STATUS: Final = "db.response.status_code"
    RETURNED_ROWS: Final = "db.response.returned_rows"
    BATCH_SIZE: Final = "db.operation.batch.size"
    POOL_NAME: Final = "db.client.connection.pool.name"
    CONNECTION_STATE: Final = "db.client.connection.state"  # idle, used
    SLOW_EVENT: Final = "db.query.slow"  # names of log records; the convention has none
    REPEATED_EVENT: Final = "db.query.repeated"
    LEGACY_STATEMENT: Final = "db.statement"
    LEGACY_OPERATION: Final = "db.operation"
    LEGACY_NAME: Final = "db.name"
    LEGACY_TABLE: Final = "db.sql.table"
    LEGACY_COLLECTION: Final = "db.mongodb.collection"
    LEGACY_REDIS_INDEX: Final = "db.redis.database_index"
    LEGACY_PIPELINE: Final = "db.redis.pipeline_length"
    LEGACY_PARAMETERS: Final = "db.statement.parameters"  # values
    LEGACY_SQL_PARAMETERS: Final = "db.sql.parameters"  # values
    VECTOR_QUERY: Final = "db.vector.query"  # prefix, values
    PARAMETER: Final = "db.query.parameter"  # prefix, values
    REDIS_SEARCH: Final = "redis.search"  # prefix, values
    REDIS_INDEX: Final = "redis.create_index"  # prefix, names of fields


class System:
    """OpenTelemetry system and process conventions: attributes of their metrics."""

    CPU_MODE: Final = "cpu.mode"  # user, system, idle …
    MEMORY_STATE: Final = "system.memory.state"  # used, free, buffers, cached
    PAGING_STATE: Final = "system.paging.state"
    DISK_DIRECTION: Final = "disk.io.direction"  # read, write
    MOUNTPOINT: Final = "system.filesystem.mountpoint"
    FILESYSTEM_STATE: Final = "system.filesystem.state"  # used, free
    IO_DIRECTION: Final = "network.io.direction"  # receive, transmit
    GENERATION: Final = "cpython.gc.generation"


class Audit:
    """An audit record is an OpenTelemetry log record with these; the server keeps it in a table of its own."""

    ACTION: Final = "otelkit.audit.action"  # resource.action, as product events are named
    ACTOR: Final = "otelkit.audit.actor"  # pseudonym, or "system"
    TARGET: Final = "otelkit.audit.target"
    OUTCOME: Final = "otelkit.audit.outcome"  # success, failure, denied
    BEFORE: Final = "otelkit.audit.before"  # JSON object; sensitive values as fingerprints
    AFTER: Final = "otelkit.audit.after"
    DETAILS: Final = "otelkit.audit.details"


class Event:
    """Elastic Common Schema's words for what happened, which OpenTelemetry has no others for."""

    CATEGORY: Final = "event.category"  # authentication, api …
    TYPE: Final = "event.type"  # start, denied, access …
    OUTCOME: Final = "event.outcome"  # success, failure, unknown
    ACTION: Final = "event.action"
    REASON: Final = "event.reason"


class Security:
    """Ours, on security events."""

    KIND: Final = "otelkit.security.kind"  # metric attribute: authentication.failed …
    USER: Final = "otelkit.security.user"  # pseudonym of the user it is about, who need not be the session's
    CLIENT: Final = "otelkit.security.client"  # pseudonym of the address it came from
    STATUSES: Final = "otelkit.security.statuses"  # prefix, followed by a status: how many such answers
    ROUTES: Final = "otelkit.security.routes"
    DETAIL: Final = "otelkit.security.detail"  # prefix, what the caller added


class Otelkit:
    """Our own names, for what no convention has yet."""

    METRICS: Final = "otelkit.metrics"  # resource: "sdk" where this process derives its own metrics
    GROUP_ID: Final = "otelkit.group.id"
    REQUEST_ID: Final = "otelkit.request.id"
    DUPLICATE: Final = "otelkit.duplicate"  # another span already counts this call
    COST_USD: Final = "otelkit.cost.usd"  # US dollars; absent = unknown
    COST_SOURCE: Final = "otelkit.cost.source"  # override, genai-prices, declared-free
    SLOW: Final = "otelkit.slow"  # the request took longer than OTELKIT_SLOW_REQUEST_SECONDS
    STEP: Final = "otelkit.step"  # kind of a decorated step where no gen_ai operation fits
    OUTCOME: Final = "otelkit.outcome"  # success, error, retry, cancelled, closed_early
    RESULT_COUNT: Final = "otelkit.retrieval.result_count"
    SCORE_MAX: Final = "otelkit.retrieval.score.max"
    SCORE_MIN: Final = "otelkit.retrieval.score.min"
    SCORE_MEAN: Final = "otelkit.retrieval.score.mean"
    SCORES: Final = "otelkit.retrieval.scores"  # numbers only, at most 50
    RERANK_MODEL: Final = "otelkit.rerank.model"
    CHUNK_COUNT: Final = "otelkit.stream.chunks"
    TOOL_INTEGRATION: Final = "otelkit.tool.integration"
    TOOL_ACTION: Final = "otelkit.tool.action"
    JOB_NAME: Final = "otelkit.job.name"
    JOB_ATTEMPT: Final = "otelkit.job.attempt"  # from 1
    JOB_WAIT: Final = "otelkit.job.wait"  # seconds from when it was due until it began
    SYNC_INTEGRATION: Final = "otelkit.sync.integration"
    BUDGET_TARGET: Final = "otelkit.budget.target"  # a route (POST /chat), or the name of static files
    BUDGET_MEASURE: Final = "otelkit.budget.measure"  # p50, p95, p99, mean, tokens, bytes
    CONSENT_CATEGORIES: Final = "otelkit.consent.categories"
    CONSENT_POLICY_VERSION: Final = "otelkit.consent.policy_version"
    DROP_REASON: Final = "otelkit.drop.reason"
    SIGNAL: Final = "otelkit.signal"
    PERIOD: Final = "otelkit.period"  # metric attribute: 1h, 24h, 7d, today
    TENANT: Final = "otelkit.tenant"  # metric attribute of the server's ten largest groups: a pseudonym
    DB_FINGERPRINT: Final = "otelkit.db.query.fingerprint"  # equal for statements that differ in values only
    DB_SECONDS: Final = "otelkit.db.duration"  # on an event: how long the call took, in seconds
    DB_CALLS: Final = "otelkit.db.calls"  # on a request: database calls below it
    DB_REPEATS: Final = "otelkit.db.repeated.count"  # on a request: how often it ran the statement it ran most
    DB_REPEATED: Final = "otelkit.db.repeated.summary"
    DB_REPEATED_FINGERPRINT: Final = "otelkit.db.repeated.fingerprint"
    DB_NOT_TOLD: Final = "otelkit.db.not_told"  # on an event: how many like it went untold since the last one
    DB_VECTOR: Final = "otelkit.db.vector_search"  # true where a statement orders by a vector's distance
    UNTRACED: Final = "otelkit.untraced"  # execution option of a SQLAlchemy engine that is not looked at
    INPUT_VALUE: Final = "otelkit.input"  # content: what a workflow, agent or job was given
    OUTPUT_VALUE: Final = "otelkit.output"  # content: what it gave back


class Errors:
    """Ours, on whatever tells of an exception: a span's ``exception`` event or a log record."""

    FINGERPRINT: Final = "otelkit.error.fingerprint"  # e and 15 hex digits: the same error has the same
    CATEGORY: Final = "otelkit.error.category"  # bug, dependency, timeout, client, limit
    GROUP: Final = "otelkit.error.group"  # the server's number of the error, on the records by which it tells of one
    UNHANDLED: Final = "otelkit.error.unhandled"  # metric attribute: whether it ended a request or job


class OpenInference:
    """Arize OpenInference, read by ``mapping`` and never written."""

    KIND: Final = "openinference.span.kind"
    MODEL: Final = "llm.model_name"
    PROVIDER: Final = "llm.provider"
    SYSTEM: Final = "llm.system"
    PROMPT_TOKENS: Final = "llm.token_count.prompt"
    COMPLETION_TOKENS: Final = "llm.token_count.completion"
    TOTAL_TOKENS: Final = "llm.token_count.total"
    CACHE_READ: Final = "llm.token_count.prompt_details.cache_read"
    CACHE_WRITE: Final = "llm.token_count.prompt_details.cache_write"
    REASONING: Final = "llm.token_count.completion_details.reasoning"
    INVOCATION_PARAMETERS: Final = "llm.invocation_parameters"
    EMBEDDING_PARAMETERS: Final = "embedding.invocation_parameters"
    FINISH_REASON: Final = "llm.finish_reason"
    PROMPTS: Final = "llm.prompts"  # prefix, content
    CHOICES: Final = "llm.choices"  # prefix, content
    AGENT_NAME: Final = "agent.name"
    FIRST_TOKEN_EVENT: Final = "First Token Stream Event"  # name of a span event
    INPUT_MESSAGES: Final = "llm.input_messages"  # prefix, content
    OUTPUT_MESSAGES: Final = "llm.output_messages"  # prefix, content
    TOOLS: Final = "llm.tools"  # prefix, content
    INPUT_VALUE: Final = "input.value"  # content
    OUTPUT_VALUE: Final = "output.value"  # content
    INPUT_MIME: Final = "input.mime_type"
    OUTPUT_MIME: Final = "output.mime_type"
    EMBEDDING_MODEL: Final = "embedding.model_name"
    EMBEDDINGS: Final = "embedding.embeddings"  # prefix, content
    RERANKER_MODEL: Final = "reranker.model_name"
    RERANKER_QUERY: Final = "reranker.query"  # content
    RERANKER_DOCUMENTS: Final = "reranker.output_documents"  # prefix, content
    RETRIEVAL_DOCUMENTS: Final = "retrieval.documents"  # prefix, content
    TOOL_NAME: Final = "tool.name"
    TOOL_ID: Final = "tool.id"
    TOOL_DESCRIPTION: Final = "tool.description"
    TOOL_PARAMETERS: Final = "tool.parameters"  # content
    COST_TOTAL: Final = "llm.cost.total"
    METADATA: Final = "metadata"  # content
    PROMPT_TEMPLATE: Final = "llm.prompt_template"  # prefix, content


class Traceloop:
    """Traceloop OpenLLMetry and older gen_ai drafts, read by ``mapping`` and never written."""

    KIND: Final = "traceloop.span.kind"
    ENTITY_NAME: Final = "traceloop.entity.name"
    ENTITY_INPUT: Final = "traceloop.entity.input"  # content
    ENTITY_OUTPUT: Final = "traceloop.entity.output"  # content
    WORKFLOW_NAME: Final = "traceloop.workflow.name"
    ASSOCIATION: Final = "traceloop.association.properties"  # prefix
    REQUEST_TYPE: Final = "llm.request.type"
    MODEL: Final = "llm.request.model"
    RESPONSE_MODEL: Final = "llm.response.model"
    PROMPT_TOKENS: Final = "gen_ai.usage.prompt_tokens"
    COMPLETION_TOKENS: Final = "gen_ai.usage.completion_tokens"
    TOTAL_TOKENS: Final = "gen_ai.usage.total_tokens"
    LLM_PROMPT_TOKENS: Final = "llm.usage.prompt_tokens"
    LLM_COMPLETION_TOKENS: Final = "llm.usage.completion_tokens"
    LLM_TOTAL_TOKENS: Final = "llm.usage.total_tokens"
    CACHE_READ: Final = "gen_ai.usage.cache_read_input_tokens"
    CACHE_WRITE: Final = "gen_ai.usage.cache_creation_input_tokens"
    REASONING: Final = "gen_ai.usage.reasoning_tokens"
    STREAMING: Final = "llm.is_streaming"
    GEN_AI_STREAMING: Final = "gen_ai.is_streaming"
    CHUNK_EVENT: Final = "gen_ai.content.completion.chunk"  # name of a span event
    QUERY_RESULT: Final = "db.query.result"  # name of a span event, and prefix of its attributes, content
    PROMPTS: Final = "gen_ai.prompt"  # prefix, content
    COMPLETIONS: Final = "gen_ai.completion"  # prefix, content
    FUNCTIONS: Final = "llm.request.functions"  # prefix, content
    USER: Final = "gen_ai.user"
    LLM_USER: Final = "llm.user"
    VECTOR_TOP_K: Final = "db.vector.query.top_k"
