"""What can be filtered by, and whether a filter can be read."""

from __future__ import annotations

from typing import Final

from otelkit.server.api.asking import Ask
from otelkit.server.api.params import BadParameterError
from otelkit.server.api.responses import Json
from otelkit.server.insights import facets as insight
from otelkit.server.insights.conversations import conversation_language
from otelkit.server.insights.filters import FilterError, Language, parse
from otelkit.server.insights.logs import LOGS
from otelkit.server.insights.traces import trace_language

__all__ = ["facets", "filters"]

_SECTIONS: Final = ("traces", "logs", "conversations")
_FACETS: Final = ("traces", "logs")


def filters(ask: Ask) -> Json:
    """Answer what a filter means in a section, or why nothing; and which keys that section has."""
    params = ask.params("section", "filter")
    section = params.choice("section", _SECTIONS)
    if section is None:
        raise BadParameterError("section", "the section is needed", _SECTIONS)
    language, text = _language(ask, section), params.text("filter") or ""
    answer: Json = {"section": section, "keys": [known.json() for known in language.fields], "terms": [], "error": None}
    try:
        language.read(text)
    except FilterError as error:
        allowed = list(error.allowed) if error.allowed is not None else None
        wrong = {"message": error.message, "at": error.at, "until": error.until, "allowed": allowed}
        return {**answer, "error": wrong}
    return {**answer, "terms": [{**term._asdict(), "key": term.key or None} for term in parse(text)]}


def facets(ask: Ask) -> Json:
    params = ask.params("of", ranged=True)
    find = insight.log_facets if params.choice("of", _FACETS) == "logs" else insight.facets
    return find(ask.connection, ask.period(params), params.scope())


def _language(ask: Ask, section: str) -> Language:
    if section == "logs":
        return LOGS
    return trace_language(ask.connection) if section == "traces" else conversation_language(ask.connection)
