"""What the stand-in for OpenAI's API says: scripted, deterministic, and sensible enough to look at.

It calls a tool when the question gives it a reason to: an order number for a tool with `order` in its name, a sum or a
percentage for one with `calc`, a word of the tool's own name for any other. When tool results are there it puts them
into words; when passages are there (`[1] title` and text, in any message but the user's) it quotes the sentences that
fit the question best.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from otelkit.testing.openai_request import ChatRequest
from otelkit.testing.openai_tokens import text_of
from otelkit.testing.openai_words import best_sentences, passages, stem, stems, subject_words

_ORDER = re.compile(r"\border(?:s|ed|\s+number|\s+no\.?)?\b[^\d\n]{0,12}?#?(\d{3,8})\b", re.IGNORECASE)
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|per ?cent)\s+of\s+(\d+(?:\.\d+)?)", re.IGNORECASE)
_SUM = re.compile(
    r"[(]*\d+(?:\.\d+)?[)]*(?:\s*(?:[-+*/×÷]|\b(?:plus|minus|times|divided by)\b)\s*[(]*\d+(?:\.\d+)?[)]*)+",
    re.IGNORECASE,
)
_SPOKEN = (("plus", "+"), ("minus", "-"), ("times", "*"), ("divided by", "/"), ("×", "*"), ("÷", "/"))
_DAY = re.compile(r"\b(monday|tuesday|wednesday|thursday|friday|saturday|sunday|today|tomorrow)\b", re.IGNORECASE)
_OPEN = re.compile(r"\b(?:open|opening|close[sd]?|closing|hours)\b", re.IGNORECASE)
_PLACE = re.compile(r"\b(?:in|at|for|from|to)\s+([A-Z]\w+(?:\s[A-Z]\w+)*)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_GREETING = re.compile(r"^\W*(?:hello|hi|hey|good (?:morning|evening))\b[^?]*$", re.IGNORECASE)
_THANKS = re.compile(r"\b(?:thanks|thank you)\b[^?]*$", re.IGNORECASE)
_VERBS = frozenset(
    ["get", "find", "search", "list", "lookup", "look", "fetch", "create", "make", "read", "run", "call", "current"]
)
_LEADS = ("From the handbook:", "Here is what the handbook says.", "In short:", "The documentation answers this.")


@dataclass(frozen=True, slots=True)
class Call:
    """A decision to call a tool; `arguments` is JSON as a model writes it."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: a text, or tool calls."""

    text: str = ""
    calls: tuple[Call, ...] = ()


def reply(request: ChatRequest, choice: int = 0) -> Reply:
    """The answer to a request; further choices of one request differ in how they begin."""
    calls = tool_calls(request)
    if calls:
        return Reply(calls=calls)
    if request.response_format and request.response_format.get("type") in ("json_object", "json_schema"):
        schema = request.response_format.get("json_schema", {}).get("schema", {})
        return Reply(json.dumps(fill(schema, request.question)))
    return Reply(_stopped(_spoken(request, choice), request.stop))


def tool_calls(request: ChatRequest) -> tuple[Call, ...]:
    """The tools to call now; none that was already called for the same question."""
    if request.tool_choice == "none":
        return ()
    done = {call["function"]["name"] for message in _turn(request) for call in message.get("tool_calls") or ()}
    open_tools = [tool["function"] for tool in request.tools if tool["function"]["name"] not in done]
    wanted = [(tool, reason) for tool in open_tools if (reason := _reason(tool["name"], request.question))]
    if request.tool_choice not in ("auto", "required"):
        wanted = [(tool, request.question) for tool in open_tools if tool["name"] == request.tool_choice]
    elif request.tool_choice == "required" and not wanted and not done:
        wanted = [(tool, request.question) for tool in open_tools[:1]]
    if not request.parallel_tool_calls:
        wanted = wanted[:1]
    return tuple(Call(tool["name"], _arguments(tool, request.question, reason)) for tool, reason in wanted)


def fill(schema: Mapping[str, Any], question: str, name: str = "") -> Any:
    """A value that fits a JSON schema, taken from the question where it holds something suitable."""
    if schema.get("enum"):
        return next((item for item in schema["enum"] if str(item).lower() in question.lower()), schema["enum"][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind in ("integer", "number"):
        found = _NUMBER.search(question)
        value = float(found.group()) if found else 1.0
        return int(value) if kind == "integer" or value.is_integer() else value
    if kind == "boolean":
        return True
    if kind == "array":
        return [fill(schema.get("items", {}), question, name)]
    if kind == "object":
        return {key: fill(inner, question, key) for key, inner in schema.get("properties", {}).items()}
    return _phrase(name.lower(), question)


def _turn(request: ChatRequest) -> tuple[Mapping[str, Any], ...]:
    """The messages after the last one of the user."""
    last = max((place for place, message in enumerate(request.messages) if message["role"] == "user"), default=-1)
    return request.messages[last + 1 :]


def _reason(tool: str, question: str) -> str | None:
    """What in the question calls for the tool, or None."""
    if "order" in tool:
        found = _ORDER.search(question)
        return found.group(1) if found else None
    if "calc" in tool:
        return _expression(question)
    if "hours" in tool:
        day = _DAY.search(question)
        return day.group(1).lower() if day and _OPEN.search(question) else None
    own = [stem(word) for word in re.findall(r"[A-Z]?[a-z]+", tool) if word.lower() not in _VERBS]
    asked = set(stems(question))
    return question if any(word in asked for word in own) else None


def _arguments(tool: Mapping[str, Any], question: str, reason: str) -> str:
    schema = tool.get("parameters") or {}
    properties = schema.get("properties") or {}
    names = schema.get("required") or list(properties)
    values = {name: fill(properties.get(name, {}), question, name) for name in names}
    if reason != question and names:
        # The reason is the argument: an order number, an expression, a day.
        first = properties.get(names[0], {})
        values[names[0]] = int(reason) if first.get("type") == "integer" and reason.isdigit() else reason
    return json.dumps(values)


def _expression(question: str) -> str | None:
    percent = _PERCENT.search(question)
    if percent:
        return f"{percent.group(2)} * {percent.group(1)} / 100"
    found = _SUM.search(question)
    if found is None:
        return None
    expression = found.group().lower()
    for word, sign in _SPOKEN:
        expression = expression.replace(word, sign)
    # A bracket that belongs to the sentence and not to the sum would make it unreadable.
    balanced = expression.count("(") == expression.count(")")
    return expression if balanced else expression.replace("(", "").replace(")", "")


def _phrase(name: str, question: str) -> str:
    if "expression" in name:
        return _expression(question) or "0"
    if name == "day":
        day = _DAY.search(question)
        return day.group(1).lower() if day else "today"
    if "order" in name or "number" in name or name.endswith("id"):
        number = re.search(r"\d+", question)
        return number.group() if number else "1"
    place = _PLACE.search(question) if name in ("city", "location", "place", "country") else None
    return place.group(1) if place else question.strip()


def _spoken(request: ChatRequest, choice: int) -> str:
    results = _results(request)
    if results:
        return " ".join(_result_in_words(name, content) for name, content in results)
    question = request.question
    if _THANKS.search(question):
        return "You are welcome. I am here when you need me again."
    if _GREETING.match(question):
        return "Hello! Ask me anything about the handbook, an order or a sum."
    found = passages(
        "\n".join(text_of(message.get("content")) for message in request.messages if message["role"] != "user")
    )
    if not found:
        subject = " ".join(subject_words(question)[:6]) or "nothing in particular"
        return f"You asked about {subject}. {_varied(request, choice, _UNAIDED)}"
    best = best_sentences(question, found)
    if not best:
        return "I could not find that in the handbook. Try other words, or ask the support team for it."
    quoted = " ".join(f"{text.rstrip()} [{number}]" for text, number in best)
    return f"{_varied(request, choice, _LEADS)} {quoted}"


_UNAIDED = (
    "I have no passages to quote from, so I can only say that the question arrived whole and was understood.",
    "Without any passages at hand I answer from the script: the question is clear and the service works.",
    "There is nothing to look that up in here, but the way from the question to this answer works as it should.",
)


def _varied(request: ChatRequest, choice: int, phrases: tuple[str, ...]) -> str:
    return phrases[(int(request.digest[:8], 16) + choice) % len(phrases)]


def _results(request: ChatRequest) -> list[tuple[str, str]]:
    """Names and contents of the tool results for the present question."""
    names: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    for message in _turn(request):
        for call in message.get("tool_calls") or ():
            names[call["id"]] = call["function"]["name"]
        if message["role"] == "tool":
            found.append((names.get(message["tool_call_id"], "the tool"), text_of(message.get("content"))))
    return found


def _result_in_words(name: str, content: str) -> str:
    try:
        value = json.loads(content)
    except ValueError:
        return content.strip()
    if not isinstance(value, dict):
        return (
            f"The result of {name.replace('_', ' ')} is {_listed([value] if not isinstance(value, list) else value)}."
        )
    if value.get("error"):
        return f"I am sorry, that did not work: {str(value['error']).rstrip('.')}."
    if "expression" in value and "result" in value:
        return f"{value['expression']} comes to {value['result']}."
    facts = [(key.replace("_", " "), item) for key, item in value.items() if item is not None]
    subject = f"{facts[0][0]} {facts[0][1]}" if facts else name.replace("_", " ")
    told = [f"the {key} is {_listed(item) if isinstance(item, list) else item}" for key, item in facts[1:]]
    told_of = subject[:1].upper() + subject[1:]
    return f"{told_of}: {_listed(told)}." if told else f"{told_of}."


def _listed(items: Iterable[object]) -> str:
    words = [str(item) for item in items]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nothing"


def _stopped(text: str, stop: tuple[str, ...]) -> str:
    ends = [place for mark in stop if mark and (place := text.find(mark)) >= 0]
    return text[: min(ends)] if ends else text
