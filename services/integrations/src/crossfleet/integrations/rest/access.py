"""Who may call REST: whoever has the fleet's token, unless the gateway was started without one on purpose."""

from __future__ import annotations

from fastapi import Request

from crossfleet.foundation.auth import Authenticator


class RestAccess:
    """A FastAPI dependency that lets a request through or raises Unauthenticated."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    async def __call__(self, request: Request) -> None:
        """Judges the `authorization` header. Raises Unauthenticated."""
        self._authenticator.authenticate("http", {"authorization": request.headers.get("authorization", "")})
