"""Support's view of one user; that somebody looked is an entry of the audit trail."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from otelkit.server.api.asking import Deed, caller
from otelkit.server.api.params import BadParameterError
from otelkit.server.api.responses import Json
from otelkit.server.insights.people import person
from otelkit.server.storage import audit

__all__ = ["look"]

_LONGEST: Final = 200
_SHOWN: Final = 200


def look(deed: Deed) -> Json:
    """Answer with what a user did, once the audit trail holds that somebody looked.

    Read in a thread of its own: years of one user's deeds must not keep services waiting for the writer.
    """
    body, context = deed.fields(("user", "id", "reason")), deed.context
    user, reason = _user(deed, body), body.get("reason")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > _LONGEST:
        raise BadParameterError("reason", f"why you look, in at most {_LONGEST} characters: the audit trail keeps it")
    with context.database.reading() as connection:
        found = person(connection, context.payloads, user, _SHOWN)
    clean = context.redactor.text
    told = {"reason": clean(reason.strip()), "found": len(found["deeds"])}

    def note(connection: Connection) -> None:
        audit.note(connection, "person.viewed", actor=caller(context), target=f"user:{clean(user)}", after=told)

    context.pipeline.run(note).result()
    return found


def _user(deed: Deed, body: Json) -> str:
    """Return how telemetry knows the user who is meant: told as such, or derived from the id the application uses."""
    user, identifier = body.get("user"), body.get("id")
    given = [value for value in (user, identifier) if value is not None]
    if len(given) != 1 or not isinstance(given[0], str) or not 0 < len(given[0]) <= _LONGEST:
        raise BadParameterError("user", "either user, as telemetry shows it, or id, as the application knows it")
    if identifier is None:
        return str(given[0]).encode("utf-8", "replace").decode()  # no database holds half a character
    if deed.context.pseudonym is None:
        raise BadParameterError(
            "id",
            "pseudonyms can be derived only with the services' salt: start the server with the same OTELKIT_SALT "
            "or OTELKIT_SALT_FILE, or give the pseudonym as user",
        )
    return deed.context.pseudonym("user", identifier)
