"""A SQL statement without its values: what it does, to which tables, and a fingerprint that all its calls share.

Whatever may be a value goes, in every product's way of quoting: where a text can be read in two ways, the reading that
shows less is taken. What is left are keywords, names and punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

__all__ = ["Statement", "read_statement"]

_LONGEST: Final = 16_384  # characters of a statement that are read
_LONGEST_TEXT: Final = 4096
_LONGEST_SUMMARY: Final = 255
_MOST_TABLES: Final = 4

# Double quotes hold names there and nothing else; elsewhere they may hold text.
_NAMES_IN_QUOTES: Final = frozenset(
    {"postgresql", "cockroachdb", "redshift", "aws.redshift", "oracle", "oracle.db", "snowflake", "trino", "presto"}
)
# A backslash before a quote always escapes it there.
_BACKSLASHES: Final = frozenset(
    {"mysql", "mariadb", "clickhouse", "bigquery", "gcp.bigquery", "spark", "hive", "databricks"}
)
_TRIPLE_QUOTES: Final = frozenset({"bigquery", "gcp.bigquery"})
_UNKNOWN: Final = frozenset({"", "other_sql"})
_NO_HASH_COMMENT: Final = _NAMES_IN_QUOTES | {"mssql", "microsoft.sql_server", "sqlite", "cassandra"}

_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<oracle>[nN]?[qQ]'(?:\[.*?\]|\{.*?\}|\(.*?\)|<.*?>|(?P<delimiter>[^\s\[{(<]).*?(?P=delimiter))')
    | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<string>(?:[nNbBxXrR]|[uU]&|_\w{1,20})?'(?:[^']|'')*')
    | (?P<dollar>\$(?P<tag>(?:[A-Za-z_]\w*)?)\$.*?\$(?P=tag)\$)
    | (?P<open>\$(?:[A-Za-z_]\w*)?\$|[nN]?[qQ]'(?=\S))
    | (?P<double>(?:[uU]&)?"(?:[^"]|"")*")
    | (?P<backtick>`(?:[^`]|``)*`)
    | (?P<uuid>[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})
    | (?P<number>(?:\.?\d)[\w.]*(?:(?<=[eE])[+-]\d+)?)
    | (?P<operator><=>|<->|<\#>|<\+>|<~>|<%>|->>|->|\#>>|\#>|>=|<=|<>|!=|\|\||:=|==|=>|@>|<@|&&|::)
    | (?P<parameter>\?\d*|%s|%\(\w+\)s|\$\w+|(?<![:\w?]):\w+|@{1,2}\w+|\{\w*\})
    | (?P<word>[^\W\d]\w*(?:\$(?!\w*\$)\w+)*)
    | (?P<hash>\#)
    | (?P<sign>[^\s\w])
    """,
    re.VERBOSE | re.DOTALL,
)
_TRIPLE: Final = re.compile(r"""(?s)[bBrR]{0,2}(?P<quotes>\'{3}|"{3})(?:\\.|[^\\])*?(?:(?P=quotes)|\\?\Z)""")
_VALUES: Final = frozenset({"oracle", "escaped", "dollar", "uuid", "number", "parameter"})
_COMMENT_SIGN: Final = re.compile(r"/\*|\*/")
_CAST: Final = re.compile(
    r"\?(?:::\w+(?: (?:VARYING|PRECISION|WITHOUT TIME ZONE|WITH TIME ZONE))?(?:\(\?\))?(?:\[\])*)+", re.I
)
_LIST: Final = re.compile(r"\?(?:, \?)+")
_ROWS: Final = re.compile(r"\(\?\)(?:, \(\?\))+")
_NO_SPACE_BEFORE: Final = frozenset(",);.]:")
_NO_SPACE_AFTER: Final = frozenset("(.[:")
_SIGNED_AFTER: Final = frozenset("(,=<>+-*/%|[") | {
    "LIMIT",
    "OFFSET",
    "SELECT",
    "AND",
    "OR",
    "THEN",
    "ELSE",
    "WHEN",
    "LIKE",
    "BETWEEN",
    "BY",
}
_SPACE_BEFORE_BRACKET: Final = frozenset(
    {"IN", "VALUES", "AND", "OR", "NOT", "AS", "FROM", "WHERE", "ON", "USING", "SELECT", "BY", "ANY", "ALL"}
)

_VERBS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})
_STATEMENTS: Final = _VERBS | frozenset(
    """
    WITH CREATE ALTER DROP TRUNCATE RENAME COMMENT BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE END ABORT SET SHOW
    RESET EXPLAIN ANALYZE VACUUM REINDEX REFRESH CLUSTER CHECKPOINT DISCARD COPY CALL EXEC EXECUTE PREPARE DEALLOCATE
    DECLARE FETCH CLOSE MOVE LOCK UNLOCK GRANT REVOKE LISTEN NOTIFY UNLISTEN DO VALUES TABLE USE DESCRIBE DESC OPTIMIZE
    CHECK REPAIR LOAD FLUSH KILL PRAGMA ATTACH DETACH UPSERT BATCH IF
    """.split()  # noqa: SIM905 - forty words, one a line, are no easier to read
)
_BEFORE_TABLE: Final = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "TRUNCATE", "COPY", "CALL", "USING"})
_PASSED_OVER: Final = frozenset(
    {"ONLY", "IF", "NOT", "EXISTS", "LATERAL", "TABLE", "IGNORE", "OR", "LOW_PRIORITY", "CONCURRENTLY"}
)
_NO_TABLE: Final = frozenset(
    {"SELECT", "SET", "VALUES", "WHERE", "OF", "NOWAIT", "SKIP", "DISTINCT", "UNNEST", "STDIN"}
)
_FROM_INSIDE: Final = frozenset({"EXTRACT", "SUBSTRING", "TRIM", "OVERLAY", "POSITION"})
_SETTERS: Final = frozenset({"SET", "PRAGMA", "ALTER", "EXEC", "EXECUTE", "FORMAT", "IDENTIFIED"})
_HAVE_SETTINGS: Final = frozenset({"SESSION", "SYSTEM", "ROLE", "USER", "LOGIN", "DATABASE"})
_STRICT_AFTER: Final = _BEFORE_TABLE | {"AS", "ONLY", "EXISTS", "."}


class Statement(NamedTuple):
    """What may be known of a statement.

    Attributes:
        text: the statement with ``?`` for each value; lists of values are one.
        operation: its verb in capitals, empty where there is none.
        tables: what it reads or changes, the first one first.
        fingerprint: equal for statements that differ in values only; 16 hexadecimal digits.
    """

    text: str
    operation: str
    tables: tuple[str, ...]
    fingerprint: str

    @property
    def table(self) -> str:
        """The first table, or nothing."""
        return self.tables[0] if self.tables else ""

    @property
    def summary(self) -> str:
        """Verb and tables, as ``db.query.summary`` wants them."""
        return " ".join((self.operation, *self.tables[:_MOST_TABLES])).strip()[:_LONGEST_SUMMARY]


@lru_cache(maxsize=4096)
def read_statement(statement: str, system: str = "") -> Statement:
    """Read a statement of a product (``db.system.name``); an unknown product is read most carefully."""
    tokens = list(_tokens(statement[:_LONGEST], system))
    operation = _operation(tokens)
    if operation not in _STATEMENTS:  # no statement that is known: any of its words may be a value
        tokens, operation = tokens and ["?"], ""
    tokens = _without_settings(tokens)
    text = _written(tokens)
    if len(statement) > _LONGEST or len(text) > _LONGEST_TEXT:
        text = text[:_LONGEST_TEXT].rpartition(" ")[0] + " …"
    digest = blake2b(text.upper().encode("utf-8", "replace"), digest_size=8).hexdigest()
    return Statement(text, operation, tuple(_tables(tokens)), digest)


def _tokens(statement: str, system: str) -> Iterator[str]:
    """Words, signs and ``?``; what cannot be told from a value ends the statement."""
    at, before = 0, ""
    while at < len(statement):
        triple = _triple(statement, at, system)
        if triple is not None:
            yield "?"
            at, before = triple, "?"
            continue
        match = _TOKEN.match(statement, at)
        if match is None:
            return  # unreachable: the last alternatives take any character
        kind, token, at = match.lastgroup, match.group(), match.end()
        kind = "oracle" if kind == "delimiter" else "dollar" if kind == "tag" else kind
        if kind in ("space", "line"):
            continue
        if kind == "block":
            at = _after_comment(statement, at)
            continue
        if (kind == "hash" or (kind == "operator" and "#" in token)) and system not in _NO_HASH_COMMENT:
            end = statement.find("\n", at)
            at = len(statement) if end < 0 else end
            continue
        if kind == "open" or (kind == "sign" and token in "'\"`"):
            yield "?"  # a quote that is never closed
            return
        shown = _shown(kind or "", token, system, before, statement[at : at + 1])
        yield shown
        if shown == "?" and _may_go_on(kind or "", token, system):
            return
        before = shown


def _triple(statement: str, at: int, system: str) -> int | None:
    """Where a text in three quotes ends; that of an unknown product, to which they may be one and two, never does."""
    if statement[at] not in "'\"bBrR" or (system not in _TRIPLE_QUOTES and system not in _UNKNOWN):
        return None
    match = _TRIPLE.match(statement, at)
    if match is None:
        return None
    return match.end() if system in _TRIPLE_QUOTES else len(statement)


def _after_comment(statement: str, at: int) -> int:
    """The end of a comment, with those inside it: where they do not nest, more is left out than had to be."""
    depth = 1
    while depth:
        sign = _COMMENT_SIGN.search(statement, at)
        if sign is None:
            return len(statement)
        depth, at = depth + (1 if sign.group() == "/*" else -1), sign.end()
    return at


def _shown(kind: str, token: str, system: str, before: str, after: str) -> str:
    if kind in _VALUES or kind == "string":
        return "?"
    if kind == "double":
        if system in _BACKSLASHES:
            return "?"
        named = system in _NAMES_IN_QUOTES or before.upper() in _STRICT_AFTER or after == "."
        return token if named and not token.startswith(("u", "U")) else "?"
    return token


def _may_go_on(kind: str, token: str, system: str) -> bool:
    r"""Whether a text may end elsewhere: ``\\'`` is an escaped quote to some, a backslash at the end to others."""
    if kind == "escaped":
        return "\\'" in token and system not in _NAMES_IN_QUOTES
    return kind in ("string", "double") and ("\\'" in token or '\\"' in token)


def _operation(tokens: list[str]) -> str:
    words = [token.upper() for token in tokens if token[0].isalpha()]
    first = words[0] if words else ""
    if first != "WITH":
        return first
    depth = 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if depth == 0 and token.upper() in _VERBS:
            return token.upper()
    return first


def _without_settings(tokens: list[str]) -> list[str]:
    """What a setting is set to need not be quoted, nor passwords, arguments or rows of data: all behind it goes."""
    words = [token.upper() for token in tokens]
    if _SETTERS.isdisjoint(words):
        return tokens
    start = 0  # of the statement: there may be several
    for place in range(len(words)):
        if not words[start][0].isalpha() or (place and words[place - 1] == ";"):
            start = place
        if _opens_values(words[start : start + 2], words[max(start, place - 1) : place], words[place : place + 2]):
            return [*tokens[: place + 1], "?"] if place + 1 < len(tokens) else tokens
    return tokens


def _opens_values(opening: list[str], before: list[str], here: list[str]) -> bool:
    first, word = opening[0], here[0]
    if before == ["IDENTIFIED"] and word == "BY":
        return True
    if first == "SET":
        return word in ("=", "TO", "ROLE", "AUTHORIZATION")
    if first == "PRAGMA" or (first == "ALTER" and opening[-1] in _HAVE_SETTINGS):
        return word in ("=", "TO")
    if first in ("EXEC", "EXECUTE"):
        return bool(before) and "." not in here  # the procedure's name
    return first == "INSERT" and before == ["FORMAT"] and word[0].isalpha() and word not in ("FROM", "AS")


def _written(tokens: list[str]) -> str:
    shown: list[str] = []
    for token in tokens:
        if token == "?" and shown and shown[-1] in ("-", "+") and (len(shown) < 2 or _expects_value(shown[-2])):
            shown.pop()  # a sign that belongs to the number
        shown.append(token)
    parts = [
        token if _is_glued(shown[place - 2 : place] if place > 1 else shown[:place], token) else f" {token}"
        for place, token in enumerate(shown)
    ]
    text = _CAST.sub("?", "".join(parts))
    return _ROWS.sub("(?)", _LIST.sub("?", text))


def _expects_value(token: str) -> bool:
    return token[-1] in _SIGNED_AFTER or token.upper() in _SIGNED_AFTER


def _is_glued(before: list[str], token: str) -> bool:
    if not before:
        return True
    last = before[-1]
    if token[0] in _NO_SPACE_BEFORE or last in _NO_SPACE_AFTER or "::" in (token, last):
        return token != ":="
    if token != "(" or not last[-1].isalnum() or last.upper() in _SPACE_BEFORE_BRACKET:
        return False
    return before[0].upper() not in ("INTO", "TABLE", "EXISTS", ".")


def _tables(tokens: list[str]) -> Iterator[str]:
    """Names behind FROM, JOIN, INTO and their like, each once; those a WITH defines are none."""
    defined = _defined(tokens)
    seen: set[str] = set()
    openers: list[str] = []
    for place, token in enumerate(tokens):
        if token == "(":
            openers.append(tokens[place - 1].upper() if place else "")
        elif token == ")" and openers:
            openers.pop()
        word = token.upper()
        if word not in _BEFORE_TABLE or (openers and openers[-1] in _FROM_INSIDE):
            continue
        if word == "UPDATE" and place and tokens[place - 1].upper() in ("FOR", "DO", "ON", "KEY"):
            continue
        name = _name(tokens, place + 1)
        if name and name.upper() not in defined and name not in seen:
            seen.add(name)
            yield name


def _defined(tokens: list[str]) -> set[str]:
    """Names that a WITH gives to what it selects."""
    if not tokens or tokens[0].upper() != "WITH":
        return set()
    found: set[str] = set()
    depth, before = 0, ""
    for token in tokens:
        depth += (token == "(") - (token == ")")
        word = token.upper()
        if depth == 0 and word in _VERBS:
            break
        if depth == 0 and before in ("WITH", "RECURSIVE", ",") and word != "RECURSIVE":
            found.add(word)
        before = word
    return found


def _name(tokens: list[str], place: int) -> str:
    while place < len(tokens) and tokens[place].upper() in _PASSED_OVER:
        place += 1
    parts: list[str] = []
    while place < len(tokens):
        token = tokens[place]
        if not (token[0].isalpha() or token[0] in '_"`') or (not parts and token.upper() in _NO_TABLE):
            break
        parts.append(token.strip('"`'))
        if place + 1 >= len(tokens) or tokens[place + 1] != ".":
            after = tokens[place + 1] if place + 1 < len(tokens) else ""
            is_call = after == "(" and tokens[max(0, place - 2 * len(parts) + 1)].upper() == "FROM"
            return "" if is_call else ".".join(parts)
        place += 2
    return ""
