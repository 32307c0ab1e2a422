"""The assistant's tools: orders in a small SQLite table, a safe calculator, opening hours."""

from __future__ import annotations

import ast
import asyncio
import functools
import inspect
import json
import logging
import operator
import random
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import otelkit

log = logging.getLogger(__name__)

RECENT_ORDERS = range(4101, 4141)
ARCHIVED_ORDERS = range(1001, 1021)
ARCHIVE_SECONDS = 1.2
"""How long the archive takes to answer: the slow tool, and the slow query, of this example."""
LARGEST = 10**15

_ITEMS = ("desk lamp", "office chair", "monitor arm", "keyboard", "notebook set", "standing desk")
_STATES = ("being packed", "shipped", "delivered", "waiting for payment")
_OPERATORS: Mapping[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
_reading = threading.Lock()  # one connection for all threads
_HOURS = {"saturday": "10:00 to 14:00", "sunday": "closed"}


class ToolError(Exception):
    """A tool could not do what it was asked to; the message is for the model."""


class OrderNotFound(ToolError):
    """There is no order with that number."""


class CalculationError(ToolError):
    """The expression is not arithmetic, or has no result."""


@functools.cache
def _orders() -> sqlite3.Connection:
    """The same sixty orders at every start; opened when first asked for, which is after telemetry has started."""
    drawn = random.Random(7)  # noqa: S311  (repeatable, not secret)
    db = sqlite3.connect(":memory:", check_same_thread=False)
    db.execute("CREATE TABLE orders (number INTEGER PRIMARY KEY, item TEXT, quantity INTEGER, total REAL, status TEXT)")
    rows = []
    for number in (*ARCHIVED_ORDERS, *RECENT_ORDERS):
        status = "delivered" if number in ARCHIVED_ORDERS else drawn.choice(_STATES)
        quantity = drawn.randint(1, 6)
        rows.append((number, drawn.choice(_ITEMS), quantity, round(quantity * drawn.uniform(9, 240), 2), status))
    db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", rows)
    db.commit()
    db.create_function("fetched_from_tape", 0, lambda: time.sleep(ARCHIVE_SECONDS) or 1)
    return db


@otelkit.traced_tool(integration="orders", action="find")
async def find_order(order_number: str) -> dict[str, Any]:
    """Find an order by its number. Raises OrderNotFound."""
    if not order_number.isdecimal():
        raise OrderNotFound(f"{order_number!r} is not an order number")
    row = await asyncio.to_thread(_read, int(order_number))
    if row is None:
        raise OrderNotFound(f"there is no order {order_number}")
    item, quantity, total, status = row
    return {"order": order_number, "status": status, "item": item, "quantity": quantity, "total": f"{total:.2f} EUR"}


def _read(number: int) -> tuple[str, int, float, str] | None:
    query = "SELECT item, quantity, total, status FROM orders WHERE number = ?"
    if number in ARCHIVED_ORDERS:
        query += " AND fetched_from_tape()"
    with _reading:
        row: tuple[str, int, float, str] | None = _orders().execute(query, (number,)).fetchone()
    return row


@otelkit.traced_tool
def calculate(expression: str) -> dict[str, Any]:
    """Work out an arithmetic expression. Raises CalculationError."""
    try:
        value = _value(ast.parse(expression, mode="eval").body)
    except (SyntaxError, ZeroDivisionError, OverflowError, RecursionError) as error:
        raise CalculationError(f"{expression} cannot be worked out") from error
    return {"expression": expression, "result": int(value) if value == int(value) else round(value, 6)}


def _value(node: ast.AST) -> float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            value: float = number
        case ast.BinOp(left, kind, right) if type(kind) in _OPERATORS:
            value = _OPERATORS[type(kind)](_value(left), _value(right))
        case ast.UnaryOp(kind, operand) if type(kind) in _OPERATORS:
            value = _OPERATORS[type(kind)](_value(operand))
        case _:
            raise CalculationError("only numbers, brackets and + - * / are allowed")
    if abs(value) > LARGEST:
        raise CalculationError("the numbers are too large")
    return value


@otelkit.traced_tool(integration="calendar", action="read")
def opening_hours(day: str) -> dict[str, Any]:
    """When the support desk is open on a day of the week."""
    return {"support desk on": day.capitalize(), "opening time": _HOURS.get(day.lower(), "9:00 to 18:00")}


@dataclass(frozen=True)
class Tool:
    """A tool as the model is told of it; each takes one text."""

    run: Callable[[str], Awaitable[dict[str, Any]] | dict[str, Any]]
    description: str
    parameter: str
    meaning: str

    def schema(self, name: str) -> dict[str, Any]:
        """The tool as the API wants it."""
        parameters = {
            "type": "object",
            "properties": {self.parameter: {"type": "string", "description": self.meaning}},
            "required": [self.parameter],
            "additionalProperties": False,
        }
        return {
            "type": "function",
            "function": {"name": name, "description": self.description, "parameters": parameters},
        }


TOOLS: Mapping[str, Tool] = {
    "find_order": Tool(find_order, "Find a customer's order by its number.", "order_number", "Digits only"),
    "calculate": Tool(calculate, "Work out an arithmetic expression.", "expression", "For instance 240 * 15 / 100"),
    "opening_hours": Tool(opening_hours, "When the support desk is open.", "day", "A day of the week"),
}
SCHEMAS = [tool.schema(name) for name, tool in TOOLS.items()]


async def run(name: str, arguments: str) -> str:
    """Run a tool the model asked for; a failure becomes a result that tells the model what went wrong."""
    tool = TOOLS.get(name)
    try:
        if tool is None:
            raise ToolError(f"there is no tool {name}")
        result = tool.run(str(json.loads(arguments)[tool.parameter]))
        return json.dumps(await result if inspect.isawaitable(result) else result)
    except (KeyError, TypeError, ValueError):
        log.warning("the model called %s with arguments that do not fit", name)
        return json.dumps({"error": "the arguments do not fit the tool"})
    except ToolError as error:
        log.warning("tool %s failed: %s", name, type(error).__name__)
        return json.dumps({"error": str(error)})
