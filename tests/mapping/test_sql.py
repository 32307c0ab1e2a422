"""No value of a statement survives, whatever the quoting; what is left is what the statement does."""

from __future__ import annotations

import string
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otelkit.mapping.sql import read_statement

SYSTEMS = [
    "postgresql",
    "sqlite",
    "mysql",
    "mariadb",
    "oracle.db",
    "microsoft.sql_server",
    "clickhouse",
    "gcp.bigquery",
    "other_sql",
    "",
]
PLANTED = "Xq7planted"  # a word that no keyword, name or placeholder contains


def quoted(text: str, how: str) -> str:
    """``text`` as a literal, the way a correct client of the product would write it."""
    single = text.replace("'", "''")
    return {
        "single": f"'{single}'",
        "national": f"N'{single}'",
        "unicode": f"U&'{single}'",
        "escape": "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
        "backslash": "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'",
        "double": '"' + text.replace("\\", "\\\\").replace('"', '""') + '"',
        "double_backslash": '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"',
        "dollar": f"$${text.replace('$', '')}$$",
        "tagged": f"$b${text.replace('$', '')}$b$",
        "charset": f"_utf8mb4'{single}'",
        "oracle": f"q'[{text.replace(']', '')}]'",
        "oracle_sign": f"q'!{text.replace('!', '')}!'",
        "oracle_letter": f"q'z{text.replace('z', '')}z'",
        "oracle_quote": f"q''{single.replace(chr(39), '')}''",
        "triple": "'''it's " + text.replace("\\", "\\\\").replace("'", "\\'") + "'''",
        "triple_double": '"""a "b" ' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""',
        "line_comment": f"1 -- {' '.join(text.split())}\n",
        "comment": f"1 /* {text.replace('*/', '').replace('/*', '')} */",
        "nested": f"1 /* a /* b */ {text.replace('*/', '').replace('/*', '')} */",
    }[how]


STANDARD = ["single", "national", "line_comment", "comment"]
WAYS = {
    "postgresql": [*STANDARD, "unicode", "escape", "dollar", "tagged", "nested"],
    "sqlite": [*STANDARD, "double"],
    "mysql": [*STANDARD, "backslash", "double", "double_backslash", "charset"],
    "mariadb": [*STANDARD, "backslash", "double", "double_backslash", "charset"],
    "oracle.db": [*STANDARD, "oracle", "oracle_sign", "oracle_letter", "oracle_quote"],
    "microsoft.sql_server": [*STANDARD, "nested"],
    "clickhouse": [*STANDARD, "backslash"],
    "gcp.bigquery": ["backslash", "double_backslash", "triple", "triple_double", "line_comment", "comment"],
    "other_sql": [*STANDARD, "escape", "dollar", "tagged", "backslash", "double", "oracle"],
    "": [*STANDARD, "escape", "dollar", "tagged", "backslash", "double", "oracle", "oracle_letter", "triple"],
}
STATEMENTS = [
    "SELECT a, {} FROM t WHERE b = {} AND c IN ({}, {}) ORDER BY d",
    "INSERT INTO t (a, b) VALUES ({}, {}), ({}, {}) ON CONFLICT DO NOTHING",
    "UPDATE t SET a = {}, b = {} WHERE c LIKE {} OR d = {}",
    "DELETE FROM t WHERE a BETWEEN {} AND {} AND f({}, {}) > 0",
    "WITH x AS (SELECT {} AS a) SELECT * FROM x JOIN t ON t.a = {} WHERE t.b->>{} = {}",
    "CALL p({}, {}, {}, {})",
    "SELECT {}FROM t WHERE a={}AND b={}OR c={}",
]
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12).map(
    lambda noise: f"{noise[:6]}{PLANTED}{noise[6:]}"
)


@st.composite
def planted_statements(draw: st.DrawFn) -> tuple[str, str]:
    system = draw(st.sampled_from(SYSTEMS))
    statement = draw(st.sampled_from(STATEMENTS))
    literals = [quoted(draw(TEXTS), draw(st.sampled_from(WAYS[system]))) for _ in range(4)]
    return statement.format(*literals), system


@given(planted_statements())
@example((r"SELECT * FROM t WHERE a = 'it\' OR Xq7planted' AND b = 'c'", "mysql"))
@example((r"SELECT * FROM t WHERE a = 'c:\' OR b = 'Xq7planted'", "postgresql"))
@example((r"SELECT * FROM t WHERE a = 'c:\\' OR b = 'Xq7planted'", ""))
def test_no_planted_text_survives(planted: tuple[str, str]) -> None:
    statement, system = planted
    read = read_statement(statement, system)
    assert PLANTED not in read.text, (statement, read.text)
    assert PLANTED not in read.summary


@given(planted_statements(), st.integers(0, 400))
def test_nothing_survives_in_a_statement_that_was_cut(planted: tuple[str, str], length: int) -> None:
    statement, system = planted
    assert PLANTED not in read_statement(statement[:length], system).text


@pytest.mark.parametrize(
    ("statement", "system", "text"),
    [
        ("ALTER USER x IDENTIFIED BY Xq7planted", "oracle.db", "ALTER USER x IDENTIFIED BY ?"),
        ("GRANT ALL ON t TO x IDENTIFIED BY Xq7planted", "mysql", "GRANT ALL ON t TO x IDENTIFIED BY ?"),
        ("ALTER SESSION SET x = Xq7planted", "oracle.db", "ALTER SESSION SET x = ?"),
        ("PRAGMA key=Xq7planted", "sqlite", "PRAGMA key = ?"),
        ("EXEC dbo.p @a=Xq7planted, @b = 1", "microsoft.sql_server", "EXEC dbo.p ?"),
        ("EXEC p Xq7planted", "microsoft.sql_server", "EXEC p ?"),
        ("EXEC p", "microsoft.sql_server", "EXEC p"),
        ("INSERT INTO t (a) FORMAT CSV Xq7planted,FROM Xq7planted", "clickhouse", "INSERT INTO t (a) FORMAT CSV ?"),
        ("INSERT INTO t (format) VALUES (1)", "clickhouse", "INSERT INTO t (format) VALUES (?)"),
        ("SELECT 1; SET app.user = Xq7planted", "postgresql", "SELECT ?; SET app.user = ?"),
        ("SELECT '''it's Xq7planted''' FROM t", "gcp.bigquery", "SELECT ? FROM t"),
        ('SELECT r"""a"Xq7planted"b""" FROM t', "gcp.bigquery", "SELECT ? FROM t"),
        ("SELECT '''it's Xq7planted", "gcp.bigquery", "SELECT ?"),
        ("SELECT q'xit's Xq7plantedx' FROM t", "oracle.db", "SELECT ? FROM t"),
    ],
)
def test_what_needs_no_quotes_or_more_of_them(statement: str, system: str, text: str) -> None:
    read = read_statement(statement, system)
    assert read.text == text
    assert PLANTED not in read.summary
    assert read_statement(text, system) == read


NUMBERS = ["7391846", "-7391846", "7391846.5e+10", "0x7391846", ".7391846", "7391846e-5", "7_391_846", "X'7391846'"]


@pytest.mark.parametrize("number", [*NUMBERS, "73918460-e29b-41d4-a716-446655440000"])
@pytest.mark.parametrize("statement", STATEMENTS[:-1])
def test_no_number_survives(statement: str, number: str) -> None:
    read = read_statement(statement.format(number, number, number, number), "postgresql")
    assert not any(digit in read.text for digit in "123456789"), read.text
    assert "-?" not in read.text.replace("- ?", "-?"), read.text


@given(st.text(max_size=200), st.sampled_from(SYSTEMS))
def test_any_text_is_read(text: str, system: str) -> None:
    read = read_statement(text, system)
    assert len(read.fingerprint) == 16
    assert len(read.text) <= 4 * len(text)


@given(planted_statements())
def test_reading_twice_changes_nothing(planted: tuple[str, str]) -> None:
    statement, system = planted
    once = read_statement(statement, system)
    assert read_statement(once.text, system) == once


@pytest.mark.parametrize(
    ("statement", "system", "text", "operation", "tables"),
    [
        ("select * from orders where id = 5 and name = 'x'", "sqlite",
         "select * from orders where id = ? and name = ?", "SELECT", ("orders",)),
        ("INSERT INTO users (a, b) VALUES ($1::VARCHAR, $2), ($3, $4) RETURNING users.id", "postgresql",
         "INSERT INTO users (a, b) VALUES (?) RETURNING users.id", "INSERT", ("users",)),
        ('SELECT "u"."id" FROM "u" INNER JOIN shop.items i ON (i.u = "u"."id") LIMIT 21', "postgresql",
         'SELECT "u"."id" FROM "u" INNER JOIN shop.items i ON (i.u = "u"."id") LIMIT ?', "SELECT", ("u", "shop.items")),
        ("WITH a AS (SELECT 1 FROM x) SELECT * FROM a WHERE extract(year FROM ts) = 2026", "postgresql",
         "WITH a AS (SELECT ? FROM x) SELECT * FROM a WHERE extract(year FROM ts) = ?", "SELECT", ("x",)),
        ("WITH RECURSIVE c(x) AS (SELECT 1), d AS (SELECT 2) SELECT * FROM c JOIN d ON 1 = 1 JOIN t ON 2 = 2", "sqlite",
         "WITH RECURSIVE c(x) AS (SELECT ?), d AS (SELECT ?) SELECT * FROM c JOIN d ON ? = ? JOIN t ON ? = ?",
         "SELECT", ("t",)),
        ("UPDATE ONLY stock SET n = n - 1 WHERE id = :id", "oracle.db",
         "UPDATE ONLY stock SET n = n - ? WHERE id = ?", "UPDATE", ("stock",)),
        ("SELECT id FROM docs ORDER BY embedding <=> %s LIMIT 5", "postgresql",
         "SELECT id FROM docs ORDER BY embedding <=> ? LIMIT ?", "SELECT", ("docs",)),
        ("SELECT * FROM t WHERE id = 1 FOR UPDATE SKIP LOCKED", "postgresql",
         "SELECT * FROM t WHERE id = ? FOR UPDATE SKIP LOCKED", "SELECT", ("t",)),
        ("DELETE FROM `t` WHERE a = \"x\" # why", "mysql", "DELETE FROM `t` WHERE a = ?", "DELETE", ("t",)),
        ("SET app.user = bob", "postgresql", "SET app.user = ?", "SET", ()),
        ("CREATE TABLE IF NOT EXISTS t (a int)", "sqlite", "CREATE TABLE IF NOT EXISTS t (a int)", "CREATE", ("t",)),
        ("SELECT pg_sleep(1)", "postgresql", "SELECT pg_sleep(?)", "SELECT", ()),
        ("SELECT * FROM generate_series(1, 5)", "postgresql", "SELECT * FROM generate_series(?)", "SELECT", ()),
        ("BEGIN", "postgresql", "BEGIN", "BEGIN", ()),
        ("", "postgresql", "", "", ()),
    ],
)  # fmt: skip
def test_what_a_statement_says(statement: str, system: str, text: str, operation: str, tables: tuple[str, ...]) -> None:
    read = read_statement(statement, system)
    assert (read.text, read.operation, read.tables) == (text, operation, tables)


def test_statements_that_differ_in_values_share_a_fingerprint() -> None:
    lists = [f"select a from t where b in ({', '.join(['?'] * n)}) and c = {n}" for n in (1, 2, 50)]
    rows = [f"INSERT INTO t (a, b) VALUES {', '.join(['(%s, %s)'] * n)}" for n in (1, 3, 99)]
    assert len({read_statement(one, "sqlite").fingerprint for one in lists}) == 1
    assert len({read_statement(one, "postgresql").fingerprint for one in rows}) == 1
    assert read_statement(lists[0], "sqlite").fingerprint != read_statement(rows[0], "sqlite").fingerprint


@pytest.mark.parametrize(
    "piece", ["'", '"', "$$", "/*", "(", "-", "q'[", "e'\\", "a.", "1,", "$a$", "\\'", "::a", "'''", "q'x"]
)
def test_reading_takes_time_in_proportion(piece: str) -> None:
    def seconds(times: int) -> float:
        text = (piece * times)[:16_000]
        began = time.perf_counter()
        read_statement.__wrapped__(text, "postgresql")
        return time.perf_counter() - began

    seconds(100)
    assert seconds(16_000) < 0.5


def test_a_usual_statement_is_read_quickly() -> None:
    statement = "SELECT " + ", ".join(f"orders.column_{letter}" for letter in string.ascii_lowercase[:20])
    statement += " FROM orders WHERE orders.id = %(id_1)s AND orders.state IN (%(a)s, %(b)s) LIMIT 10"
    began = time.perf_counter()
    for _ in range(50):
        read_statement.__wrapped__(statement, "postgresql")
    assert (time.perf_counter() - began) / 50 < 0.005
