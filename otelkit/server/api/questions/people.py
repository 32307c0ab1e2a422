"""Support's view of one user; that somebody looked is an entry of the audit trail."""

from __future__ import annotations

from typing import Final

from otelkit.server.api.asking import Order, caller
from otelkit.server.api.params import BadParameterError
from otelkit.server.api.responses import Json
from otelkit.server.insights.people import person
from otelkit.server.storage import audit

__all__ = ["look"]

_LONGEST: Final = 200
_SHOWN: Final = 200


def look(order: Order) -> Json:
    """Answer with what a user did.

    An order and no question, because it changes the audit trail in the same transaction: who may look, is seen looking.
    """
    body = order.fields(("user", "id", "reason"))
    user, reason = _user(order, body), body.get("reason")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > _LONGEST:
        raise BadParameterError("reason", f"why you look, in at most {_LONGEST} characters: the audit trail keeps it")
    found = person(order.connection, order.context.payloads, user, _SHOWN)
    audit.note(
        order.connection,
        "person.viewed",
        actor=caller(order),
        target=f"user:{order.context.redactor.text(user)}",
        after={"reason": order.context.redactor.text(reason.strip()), "found": len(found["deeds"])},
    )
    return found


def _user(order: Order, body: Json) -> str:
    """Return how telemetry knows the user who is meant: told as such, or derived from the id the application uses."""
    user, identifier = body.get("user"), body.get("id")
    given = [value for value in (user, identifier) if value is not None]
    if len(given) != 1 or not isinstance(given[0], str) or not 0 < len(given[0]) <= _LONGEST:
        raise BadParameterError("user", "either user, as telemetry shows it, or id, as the application knows it")
    if identifier is None:
        return str(given[0]).encode("utf-8", "replace").decode()  # no database holds half a character
    if order.context.pseudonym is None:
        raise BadParameterError(
            "id",
            "pseudonyms can be derived only with the services' salt: start the server with the same OTELKIT_SALT "
            "or OTELKIT_SALT_FILE, or give the pseudonym as user",
        )
    return order.context.pseudonym("user", identifier)
