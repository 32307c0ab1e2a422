"""Conversations, and who causes how much."""

from __future__ import annotations

from otelkit.server.api.asking import Ask, paged
from otelkit.server.api.params import BadParameterError
from otelkit.server.api.responses import Json, found
from otelkit.server.insights import conversations as insight
from otelkit.server.insights import top as tops

__all__ = ["conversation", "conversations", "top"]


def conversations(ask: Ask) -> Json:
    params = ask.params("filter", "sort", "limit", "cursor", ranged=True)
    wanted = params.filter(insight.conversation_language(ask.connection))
    period, scope = ask.period(params), params.scope()
    sort = params.choice("sort", insight.SORTS) or "newest"
    limit, cursor = params.integer("limit", 50, 1, 200), params.text("cursor")
    return paged(
        lambda: insight.list_conversations(ask.connection, period, scope, wanted, sort=sort, limit=limit, cursor=cursor)
    )


def conversation(ask: Ask) -> Json:
    params = ask.params("limit", "cursor")
    name = ask.request.path_params["conversation"]
    limit, cursor = params.integer("limit", 100, 1, 200), params.text("cursor")
    connection, payloads = ask.connection, ask.context.payloads
    return paged(
        lambda: found(insight.one_conversation(connection, payloads, name, limit=limit, cursor=cursor), "conversation")
    )


def top(ask: Ask) -> Json:
    params = ask.params("by", "sort", "limit", ranged=True)
    by = params.choice("by", tops.BY)
    if by is None:
        raise BadParameterError("by", "what to group by is needed", tops.BY)
    sort, limit = params.choice("sort", tops.SORTS) or "cost", params.integer("limit", 20, 1, 200)
    return tops.top(ask.connection, ask.period(params), params.scope(), by, sort=sort, limit=limit)
