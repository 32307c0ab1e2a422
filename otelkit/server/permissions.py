"""What a route asks of whoever calls it; every route of the application says it where it is declared."""

from __future__ import annotations

from typing import Any, Final, Literal

from starlette.routing import Mount, Route

__all__ = ["PERMISSIONS", "Permission", "PermittedMount", "PermittedRoute"]

Permission = Literal["open", "read", "write", "ingest"]
# open: shows nothing that is stored · read: shows it · write: changes data or settings · ingest: sends telemetry
PERMISSIONS: Final[tuple[Permission, ...]] = ("open", "read", "write", "ingest")


class PermittedRoute(Route):
    """A route that says which permission it needs."""

    def __init__(self, path: str, endpoint: Any, *, methods: list[str], permission: Permission) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.permission = permission


class PermittedMount(Mount):
    """An application below a path, all of it with one permission."""

    def __init__(self, path: str, app: Any, *, permission: Permission) -> None:
        super().__init__(path, app)
        self.permission = permission
