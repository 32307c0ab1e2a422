"""Messages of database errors without the values they quote, wherever they turn up: logs, traces of calls, statuses.

Drivers quote the statement, its parameters, the row that broke a rule, the word they could not read. The first line's
plain words stay, because they say what went wrong.
"""

from __future__ import annotations

import re
from typing import Final

from otelkit.mapping.database_sentences import known_sentences

__all__ = ["is_database_error", "may_quote_values", "without_values"]

_MODULES: Final = (
    r"(?:sqlalchemy|psycopg2?|psycopg_pool|asyncpg|sqlite3|aiosqlite|redis|pymysql|MySQLdb|mysql|aiomysql|oracledb"
    r"|pyodbc|cassandra|duckdb|clickhouse_connect|django\.db|peewee|tortoise|qdrant_client|chromadb)"
)
_TYPE: Final = re.compile(rf"{_MODULES}[\w.]*\.\w+\Z")
# In a stack's text "psycopg.errors.UniqueViolation: …", in SQLAlchemy's words "(psycopg.errors.UniqueViolation) …".
_LINE: Final = re.compile(
    rf"(?m)^(?P<head>[ \t|+-]*(?:\({_MODULES}[\w.]*\)|{_MODULES}(?:\.\w+)*\.\w+):?[ ]?)(?P<said>[^\n]*)"
)
_NEXT: Final = (
    r"(?=\n[ \t|]*(?:\[SQL:|\[parameters:|\(Background on|CONTEXT: |HINT: |DETAIL: |LINE \d"
    r"|The above exception|During handling|Traceback \(most|\+-{16} \d{1,3} -{16}\n))"
)
# A value may hold blank lines, so these end where the next one begins; only words that people use too end at one.
_PARTS: Final = re.compile(
    r"(?s)(?P<name>\[SQL:|\[parameters:|DETAIL:[ ]{1,2}|(?:CONTEXT|HINT|QUERY):[ ]{2}|LINE \d{1,7}:"
    rf"|with args beginning with:).*?(?:{_NEXT}|\Z)"
    rf"|(?P<word>(?:CONTEXT|HINT|QUERY):[ ]).*?(?:{_NEXT}|(?=\n[ \t|]*\n)|\Z)"
)
_PIPELINE: Final = re.compile(r"(?s)(?P<name>\bCommand # \d{1,9} \().*?(?P<end>\) of pipeline caused error: |\Z)")
_BARE: Final = re.compile(rf"(?P<head>\((?:{_MODULES}|builtins)[\w.]*\)[ ]?)(?P<said>[^\n]*)")
_TYPED: Final = re.compile(r"\.[A-Z]\w*(?:\):?|:)[ ]?\Z")
# In a message: its type, and SQLAlchemy's lines, which are without values by then.
_HEAD: Final = re.compile(
    rf"(?:\w{{1,80}}(?:Error|Exception|Violation|Timeout): )?(?:\({_MODULES}[\w.]{{0,200}}\)[ ]?)?"
    r"(?:<class '[\w.]{1,200}'>: )?"
)
_PART: Final = re.compile(
    r"(?:\[SQL: \?|\[parameters: \?|(?:DETAIL|CONTEXT|HINT|QUERY):[ ]{1,3}\?|LINE \d{1,7}: \?|\(Background on.*)\Z"
)
_CODE: Final = re.compile(r"\(\d{1,5}, ['\"]")  # before what MySQL's drivers say
# Sentences of databases that quote a value, and the line before what only a database says.
_SAID: Final = re.compile(
    r"(?m)^(?P<head>)(?P<said>[^\n]*(?:invalid input|out of range for type|malformed|could not convert|Duplicate entry"
    r"|Incorrect \w{1,20} value|Data too long|unrecognized token|near \"|WRONGTYPE)[^\n]*"
    r"|[^\n]*(?=\n(?:LINE \d|DETAIL: )))"
)
# Sentences that end with a value, which has no quotes or some of its own.
_ENDS: Final = re.compile(
    r"(?P<name>no such (?:column|function):|invalid input for query argument|The duplicate key value is"
    r"|date/time field value out of range:|password authentication failed for user|unknown command|\bORA-\d{5}:)[^\n]+"
)
_QUOTED: Final = re.compile(  # the sign in "can't" opens nothing
    r"(?!(?<=n)'t\b)'(?:[^'\n]|'')*'?|\"(?:[^\"\n]|\"\")*\"?|=\([^\n]*|(?<!ORA-)(?<!DPY-)\b\d[\w.:-]*"
)
_LONGEST: Final = 66_000  # redaction keeps no more
_MARKS: Final = (
    *("[SQL:", "[parameters:", "DETAIL:", "LINE ", "with args beginning", "invalid input", "out of range for type"),
    *("malformed", "could not convert", "Duplicate entry", "Incorrect ", "Data too long", "unrecognized token"),
    *("no such ", 'near "', "WRONGTYPE", "Command # ", "The duplicate key value is", "date/time field value"),
    *("password authentication failed", "unknown command", "ORA-"),
)
_NAMES: Final = (
    "sqlalchemy",
    "psycopg",
    "asyncpg",
    "sqlite",
    "redis",
    "mysql",
    "MySQL",
    "oracledb",
    "pyodbc",
    "duckdb",
)


def is_database_error(exception_type: str) -> bool:
    """Whether an exception of this type (with its module) comes from a database's client."""
    return _TYPE.match(exception_type) is not None


def may_quote_values(text: str) -> bool:
    """Whether a text may hold a database's message: a cheap look."""
    return any(mark in text for mark in _MARKS) or any(name in text for name in _NAMES)


def without_values(text: str, *, message: bool = False) -> str:
    """Return the text with ``?`` for what a database's error quotes; the same object where there is none.

    ``message`` says that the text is such an error's own message, whatever it looks like.
    """
    if not message and not may_quote_values(text):
        return text
    read = text if len(text) <= _LONGEST else text[:_LONGEST].rpartition(" ")[0]
    found = _PIPELINE.sub(r"\g<name>?\g<end>", read)
    found = _PARTS.sub(lambda part: f"{part['name'] or part['word']} ?", found)
    if message:
        found = "\n".join([_of_message(line) for line in found.split("\n")])
    found = _LINE.sub(_unquoted, found)
    found = _BARE.sub(_unquoted, found)
    found = _SAID.sub(_unquoted, found)
    found = _ENDS.sub(r"\g<name> ?", found)
    return text if found == text else found


def _of_message(line: str) -> str:
    """A line of a database's own message: any word that is none of its usual ones may be a value."""
    if not line.strip() or _PART.match(line):
        return line
    head = _HEAD.match(line)
    start = head.end() if head else 0
    return line[:start] + _said(line[start:])


def _unquoted(match: re.Match[str]) -> str:
    said = match["said"]
    return match["head"] + (_said(said) if _TYPED.search(match["head"]) else _QUOTED.sub("?", said))


def _said(said: str) -> str:
    code = _CODE.match(said)
    return known_sentences(_QUOTED.sub("?", said[code.end() :] if code else said)) if said else said
