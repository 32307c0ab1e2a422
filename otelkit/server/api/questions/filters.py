"""What can be filtered by, and whether a filter can be read."""

from __future__ import annotations

from typing import Final

from otelkit.server.api.asking import Ask
from otelkit.server.api.params import BadParameterError
from otelkit.server.api.responses import Json
from otelkit.server.insights import facets as insight
from otelkit.server.insights.conversations import conversation_language
from otelkit.server.insights.filters import Language, parse
from otelkit.server.insights.logs import LOGS
from otelkit.server.insights.traces import trace_language

__all__ = ["facets", "filters"]

_SECTIONS: Final = ("traces", "logs", "conversations")
_FACETS: Final = ("traces", "logs")


def filters(ask: Ask) -> Json:
    """Answer what a filter means in a section, and which keys that section has."""
    params = ask.params("section", "filter")
    section = params.choice("section", _SECTIONS)
    if section is None:
        raise BadParameterError("section", "the section is needed", _SECTIONS)
    language = _language(ask, section)
    params.filter(language)
    return {
        "section": section,
        "keys": [known.json() for known in language.fields],
        "terms": [
            {"key": key or None, "sign": sign, "value": value, "negated": negated, "at": at, "until": until}
            for key, sign, value, negated, at, until in parse(params.text("filter") or "")
        ],
    }


def facets(ask: Ask) -> Json:
    params = ask.params("of", ranged=True)
    find = insight.log_facets if params.choice("of", _FACETS) == "logs" else insight.facets
    return find(ask.connection, ask.period(params), params.scope())


def _language(ask: Ask, section: str) -> Language:
    if section == "logs":
        return LOGS
    return trace_language(ask.connection) if section == "traces" else conversation_language(ask.connection)
