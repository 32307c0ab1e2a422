"""What databases and their drivers say in words of their own; whatever else stands in a message may be a value."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["known_sentences"]

# ``?`` stands for what was taken out before, ``~`` for a word of SQL's own, ``#`` for names out of the schema.
_SENTENCES: Final = """
UNIQUE constraint failed: #
NOT NULL constraint failed: #
~ constraint failed
FOREIGN KEY constraint failed
no such table: #
no such ~
table has no column named
incorrect number of bindings supplied
cannot operate on a closed database
attempt to write a readonly database
unable to open database file
file is not a database
database is locked
database table is locked
database disk image is malformed
database or disk is full
disk I/O error
ambiguous column name
unrecognized token
incomplete input
unterminated string
near ?: syntax error
fts5: syntax error near
syntax error at or near ?
syntax error at end of input
malformed JSON
malformed MATCH expression
JSON path error near
datatype mismatch
string or blob too big
error binding parameter
wrong number of arguments
cannot start a transaction within a transaction
duplicate key value violates unique constraint ?
null value in column ? of relation ? violates not-null constraint
new row for relation ? violates check constraint ?
insert or update on table ? violates foreign key constraint ?
update or delete on table ? violates foreign key constraint ? on table ?
conflicting key value violates exclusion constraint ?
relation ? does not exist
relation ? already exists
column ? of relation ? does not exist
column ? does not exist
database ? does not exist
schema ? does not exist
role ? does not exist
type ? does not exist
prepared statement ? does not exist
prepared statement ? already exists
does not exist
already exists
invalid input syntax for type ~
invalid input value for enum
invalid input for query argument
value too long for type character varying
~ out of range
numeric field overflow
date/time field value out of range
division by zero
permission denied for ~
password authentication failed for user ?
no password supplied
no pg_hba.conf entry
deadlock detected
could not serialize access
could not obtain lock
canceling statement due to statement timeout
canceling statement due to lock timeout
canceling statement due to user request
canceling statement due to conflict with recovery
current transaction is aborted, commands ignored until end of transaction block
terminating connection due to
server closed the connection unexpectedly
the database system is starting up
the database system is shutting down
remaining connection slots are reserved
too many clients already
too many connections
could not connect to server
could not translate host name
connection to server
connection failed
connection refused
connection reset by peer
connection timed out
connection timeout expired
connection is closed
connection already closed
connection was closed in the middle of operation
connection closed by server
connection is lost
another operation is in progress
couldn't get a connection after
pool is closed
broken pipe
name or service not known
no route to host
operation timed out
timeout reading from
timeout connecting to server
could not convert
cannot execute ~ in a read-only transaction
could not determine data type of parameter
could not find array type
operator does not exist
expected ? arguments
duplicate entry
for key ?
data too long for column ?
incorrect ~ value
out of range value for column ?
unknown column
unknown database
doesn't exist
access denied for user
lost connection to MySQL server
MySQL server has gone away
can't connect to MySQL server
lock wait timeout exceeded
deadlock found when trying to get lock
try restarting transaction
you have an error in your SQL syntax
cannot be null
a foreign key constraint fails
doesn't have a default value
query execution was interrupted
violation of ~ KEY constraint ?
cannot insert duplicate key in object ?
the duplicate key value is
cannot insert the value NULL into column ?
invalid object name ?
invalid column name ?
login failed for user ?
login timeout expired
conversion failed when converting
string or binary data would be truncated
arithmetic overflow error
was deadlocked on
WRONGTYPE Operation against a key holding the wrong kind of value
of pipeline caused error
value is not an integer or out of range
value is not a valid float
unknown command
with args beginning with
wrong number of arguments for
OOM command not allowed when used memory
NOAUTH Authentication required
NOPERM
WRONGPASS invalid username-password pair or user is disabled
READONLY You can't write against a read only replica
MISCONF
LOADING Redis is loading the dataset in memory
NOSCRIPT
CLUSTERDOWN
BUSYGROUP Consumer Group name already exists
max number of clients reached
error ? connecting to
QueuePool limit of size ? overflow ? reached
no row was found when one was required
multiple rows were found when exactly one was required
a value is required for bind parameter ?
transaction has been rolled back due to a previous exception during flush
can't reconnect until invalid transaction is rolled back
greenlet_spawn has not been called
is not bound to a session
does not return rows
is not among the defined enum values
"""
_WORD: Final = (
    r"(?:NOT NULL|CHECK|UNIQUE|PRIMARY|FOREIGN|KEY|SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|TRUNCATE|table|column"
    r"|function|index|module|savepoint|schema|sequence|database|relation|view|value|smallint|integer|bigint|numeric|real"
    r"|decimal|double|string|date|datetime|time|timestamp|interval|boolean|uuid|json|jsonb|bytea|inet|bit|oid)"
)
_PATTERN: Final = {"?": r"\?", "~": _WORD, "#": r"\w{1,64}(?:\.\w{1,64}){0,3}(?:,[ ]\w{1,64}\.\w{1,64}){0,9}"}
_KNOWN: Final = re.compile(
    r"(?i)\b(?<![.-])(?:ORA-\d{5}|DPY-\d{4}|"
    + "|".join(
        "".join(_PATTERN.get(letter) or re.escape(letter) for letter in sentence)
        for sentence in sorted(_SENTENCES.strip().split("\n"), key=len, reverse=True)
    )
    + r")(?!\w)"
)
_BETWEEN: Final = re.compile(r"[\s?:;,.()]*")


def known_sentences(text: str) -> str:
    """Return what is known of a text, whose quoted values are ``?`` already, with ``?`` for what is between."""
    shown, at = [], 0
    for match in _KNOWN.finditer(text):
        shown += [_gap(text[at : match.start()]), match.group()]
        at = match.end()
    return "".join([*shown, _gap(text[at:])]).strip(" ")


def _gap(between: str) -> str:
    return between if _BETWEEN.fullmatch(between) else " ? "
