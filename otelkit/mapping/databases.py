"""Database spans in one shape, whoever recorded them, and without a single value.

Statements are kept as :mod:`otelkit.mapping.sql` writes them, of Redis the command's name, of what is neither nothing.
A database's error message quotes what it was given, so only its type stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from otelkit.mapping.database_errors import without_values
from otelkit.mapping.sql import read_statement
from otelkit.model import Attributes, AttributeValue, Span, SpanEvent, StatusCode
from otelkit.semconv.attributes import Core, Database, Otelkit

__all__ = ["is_call", "normalise", "system"]

_SYSTEMS: Final = {
    "mssql": "microsoft.sql_server",
    "oracle": "oracle.db",
    "redshift": "aws.redshift",
    "dynamodb": "aws.dynamodb",
    "db2": "ibm.db2",
    "spanner": "gcp.spanner",
    "bigquery": "gcp.bigquery",
    "cosmosdb": "azure.cosmosdb",
    "sap_hana": "sap.hana",
}
_SQL: Final = frozenset(
    {"postgresql", "mysql", "mariadb", "sqlite", "microsoft.sql_server", "oracle.db", "aws.redshift", "ibm.db2"}
    | {
        "cockroachdb",
        "clickhouse",
        "gcp.spanner",
        "gcp.bigquery",
        "snowflake",
        "trino",
        "presto",
        "duckdb",
        "other_sql",
    }
    | {"sap.hana", "firebirdsql", "h2", "hsqldb", "derby", "teradata", "hive", "spark", "databricks", "cassandra"}
)
_COMMANDS: Final = frozenset({"redis", "valkey", "memcached", "keydb", "dragonfly"})
_CONTAINERS: Final = frozenset(
    {"CLIENT", "CONFIG", "SCRIPT", "FUNCTION", "CLUSTER", "ACL", "MEMORY", "OBJECT", "XINFO", "XGROUP", "PUBSUB"}
)
_COMMAND: Final = re.compile(r"\s*([A-Za-z][A-Za-z_.]{0,30})(?:[ ]([A-Za-z]{2,20})(?=[\s]|$))?")
_PLAIN_OPERATION: Final = re.compile(r"[A-Za-z][\w.]{0,60}")
_DISTANCE: Final = re.compile(r"\bORDER BY\b.*(?:<->|<=>|<\#>|<\+>)", re.IGNORECASE | re.DOTALL)
_MOST_COMMANDS: Final = 8
_NAMELESS: Final = "other_sql"  # for a statement that comes without its product, when it is SQL beyond doubt:
_CERTAIN: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"})  # with a table

_TEXTS: Final = (Database.QUERY_TEXT, Database.LEGACY_STATEMENT)
# Any of them makes a span a database's. Every span is asked, so these are names of their own.
_SYSTEM, _OLD_SYSTEM, _TEXT, _OLD_TEXT = Core.DB_SYSTEM, Core.LEGACY_DB_SYSTEM, *_TEXTS
_VALUES: Final = (
    *(Database.LEGACY_PARAMETERS, Database.LEGACY_SQL_PARAMETERS, Database.PARAMETER, Database.VECTOR_QUERY),
    *(Database.REDIS_SEARCH, Database.REDIS_INDEX),
)
_RENAMED: Final = {
    Core.LEGACY_DB_SYSTEM: Core.DB_SYSTEM,
    Database.LEGACY_OPERATION: Database.OPERATION,
    Database.LEGACY_NAME: Database.NAMESPACE,
    Database.LEGACY_TABLE: Database.COLLECTION,
    Database.LEGACY_COLLECTION: Database.COLLECTION,
}
_REPLACED: Final = frozenset({*_RENAMED, *_TEXTS, Database.LEGACY_REDIS_INDEX, Database.LEGACY_PIPELINE})


def system(attributes: Attributes) -> str:
    """The database's product, in the convention's words; empty for what is no database span."""
    found = attributes.get(Core.DB_SYSTEM) or attributes.get(Core.LEGACY_DB_SYSTEM)
    return _SYSTEMS.get(found.lower(), found.lower()) if isinstance(found, str) else ""


def is_call(span: Span) -> bool:
    """Whether a normalised span is one call of a database that has a name (opening a connection has none)."""
    return Database.OPERATION in span.attributes and Core.DB_SYSTEM in span.attributes


def normalise(span: Span) -> Span:
    """Return a database span in the names of today and without values, any other span as it is. Idempotent."""
    attributes = span.attributes
    if not (_SYSTEM in attributes or _OLD_SYSTEM in attributes or _TEXT in attributes or _OLD_TEXT in attributes):
        return span
    product = system(attributes)
    told = _told(attributes, product)
    kept = {key: value for key, value in attributes.items() if key not in _REPLACED and not key.startswith(_VALUES)}
    for old, new in _RENAMED.items():
        if old in attributes:
            kept.setdefault(new, attributes[old])
    changed: dict[str, AttributeValue] = {**kept, **({Core.DB_SYSTEM: product} if product else {}), **told}
    operation = changed.get(Database.OPERATION)
    if not isinstance(operation, str) or not _PLAIN_OPERATION.fullmatch(operation.replace(" ", ".")):
        changed.pop(Database.OPERATION, None)
    name = told.get(Database.QUERY_SUMMARY) or ((product or "db") if _spoken(attributes) else span.name)
    return _without_messages(span._replace(name=str(name), attributes=changed))


def _spoken(attributes: Attributes) -> bool:
    """Whether there is a statement, from which the span's name may have been taken."""
    return any(attributes.get(key) for key in _TEXTS)


def _told(attributes: Attributes, product: str) -> Mapping[str, AttributeValue]:
    """What the statement says."""
    text = next((attributes[key] for key in _TEXTS if attributes.get(key)), "")
    if product in _COMMANDS:
        return _commands(attributes, str(text))
    if (product and product not in _SQL) or not isinstance(text, str) or not text:
        return {}
    read = read_statement(text, product or _NAMELESS)
    if not product and not (read.table and read.operation in _CERTAIN):
        return {}
    told: dict[str, AttributeValue] = {
        Database.QUERY_TEXT: read.text,
        Core.DB_SYSTEM: product or _NAMELESS,
        Database.QUERY_SUMMARY: read.summary or product,
        Otelkit.DB_FINGERPRINT: read.fingerprint,
    }
    if read.operation:
        told[Database.OPERATION] = read.operation
    if read.table:
        told[Database.COLLECTION] = read.table
    if "<" in read.text and _DISTANCE.search(read.text):
        told[Otelkit.DB_VECTOR] = True
    return told


def _commands(attributes: Attributes, text: str) -> Mapping[str, AttributeValue]:
    names = [_command(line) for line in text.split("\n") if line.strip()]
    told: dict[str, AttributeValue] = {}
    index = attributes.get(Database.LEGACY_REDIS_INDEX)
    if index is not None:
        told[Database.NAMESPACE] = str(index)
    many = attributes.get(Database.LEGACY_PIPELINE)
    if many is not None or len(names) > 1:
        told[Database.BATCH_SIZE] = many if isinstance(many, int) else len(names)
        shown = list(dict.fromkeys(names))
        more = " …" if len(shown) > _MOST_COMMANDS else ""
        return {**told, **_called("PIPELINE", "PIPELINE " + " ".join(shown[:_MOST_COMMANDS]) + more)}
    return {**told, **_called(names[0], names[0])} if names else told


def _called(operation: str, text: str) -> Mapping[str, AttributeValue]:
    return {Database.OPERATION: operation, Database.QUERY_SUMMARY: operation, Database.QUERY_TEXT: text}


def _command(line: str) -> str:
    """A command's name: what follows it are keys and values."""
    found = _COMMAND.match(line)
    if found is None:
        return "OTHER"
    first, second = found.group(1).upper(), (found.group(2) or "").upper()
    return f"{first} {second}" if second and first in _CONTAINERS else first


def _without_messages(span: Span) -> Span:
    """Errors by their type: what a database says of one quotes what it was given."""
    attributes, events = span.attributes, span.events
    if events:
        events = tuple([_without_message(event) for event in events])
    if span.status != StatusCode.ERROR:
        return span._replace(events=events) if events is not span.events else span
    if Core.ERROR_TYPE not in attributes:
        raised = next((e.attributes.get(Core.EXCEPTION_TYPE) for e in events if e.name == Core.EXCEPTION_EVENT), None)
        if raised:
            attributes = {**attributes, Core.ERROR_TYPE: str(raised).rpartition(".")[2]}
    return span._replace(attributes=attributes, events=events, status_message="")


def _without_message(event: SpanEvent) -> SpanEvent:
    if event.name != Core.EXCEPTION_EVENT:
        return event
    kept = {key: value for key, value in event.attributes.items() if key != Core.EXCEPTION_MESSAGE}
    stack = kept.get(Core.EXCEPTION_STACKTRACE)
    if isinstance(stack, str):
        kept[Core.EXCEPTION_STACKTRACE] = without_values(stack)
    return event._replace(attributes=kept)
