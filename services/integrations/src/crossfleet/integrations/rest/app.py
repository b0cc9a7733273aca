"""The web application: routes, access, health and metrics put together."""

from __future__ import annotations

from fastapi import Depends, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from crossfleet.foundation.auth import Authenticator
from crossfleet.integrations.rest.access import RestAccess
from crossfleet.integrations.rest.problems import install
from crossfleet.integrations.rest.runs import runs_router
from crossfleet.integrations.usecases import UseCases


def build_app(usecases: UseCases, authenticator: Authenticator, version: str) -> FastAPI:
    """REST under /api/v1 for whoever `authenticator` lets in; /healthz, /readyz and /metrics for everybody."""
    app = FastAPI(
        title="crossfleet", version=version, openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None
    )
    install(app)
    app.include_router(runs_router(usecases), prefix="/api/v1", dependencies=[Depends(RestAccess(authenticator))])

    @app.get("/healthz", tags=["operation"], summary="The gateway lives")
    async def healthz() -> dict[str, str]:
        return {"status": "serving"}

    @app.get("/readyz", tags=["operation"], summary="The gateway reaches its coordinator")
    async def readyz() -> dict[str, str]:
        await usecases.fleet_answers()
        return {"status": "serving"}

    @app.get("/metrics", tags=["operation"], summary="Prometheus metrics of the gateway", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return app
