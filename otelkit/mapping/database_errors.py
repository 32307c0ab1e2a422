"""Messages of database errors without the values they quote, wherever they turn up: logs, traces of calls, statuses.

Drivers quote the statement, its parameters, the row that broke a rule, the word they could not read. The first line's
plain words stay, because they say what went wrong.
"""

from __future__ import annotations

import re
from typing import Final

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
    r"|The above exception|During handling|Traceback \(most)|\n[ \t|]*\n|\Z)"
)
_PARTS: Final = re.compile(
    r"(?s)(?P<name>\[SQL:|\[parameters:|(?:DETAIL|CONTEXT|HINT|QUERY):[ ]{1,2}|LINE \d{1,7}:"
    rf"|with args beginning with:).*?{_NEXT}"
)
_BARE: Final = re.compile(rf"(?s)(?P<head>\({_MODULES}[\w.]*\)[ ]?)(?P<said>[^\n]*)")
# Sentences of databases that quote a value, and the line before what only a database says.
_SAID: Final = re.compile(
    r"(?m)^(?P<head>)(?P<said>[^\n]*(?:invalid input|out of range for type|malformed|could not convert|Duplicate entry"
    r"|Incorrect \w{1,20} value|Data too long|unrecognized token|no such column|near \"|WRONGTYPE)[^\n]*"
    r"|[^\n]*(?=\n(?:LINE \d|DETAIL: )))"
)
_QUOTED: Final = re.compile(r"'(?:[^'\n]|'')*'?|\"(?:[^\"\n]|\"\")*\"?|=\([^\n]*\)|\b\d[\w.:-]*")
_MARKS: Final = (
    *("[SQL:", "[parameters:", "DETAIL:", "LINE ", "with args beginning", "invalid input", "out of range for type"),
    *("malformed", "could not convert", "Duplicate entry", "Incorrect ", "Data too long", "unrecognized token"),
    *("no such column", 'near "', "WRONGTYPE"),
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
    found = _PARTS.sub(r"\g<name> ?", text)
    found = _LINE.sub(_unquoted, found)
    found = _BARE.sub(_unquoted, found)
    found = _SAID.sub(_unquoted, found)
    if message:
        found = _QUOTED.sub("?", found)
    return text if found == text else found


def _unquoted(match: re.Match[str]) -> str:
    return match["head"] + _QUOTED.sub("?", match["said"])
