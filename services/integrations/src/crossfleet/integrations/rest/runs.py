"""`/api/v1/runs`: runs, read-only."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from crossfleet.api.types.v1 import run_pb2
from crossfleet.integrations.rest.shapes import ProblemBody, RunBody, RunsBody
from crossfleet.integrations.usecases import UseCases

StateName = Literal["queued", "running", "stopping", "finished"]


def runs_router(usecases: UseCases) -> APIRouter:
    """The routes; each answers a problem (RFC 9457) where it fails."""
    router = APIRouter(
        prefix="/runs", tags=["runs"], responses={"4XX": {"model": ProblemBody}, "5XX": {"model": ProblemBody}}
    )

    @router.get("", summary="Runs, newest first, in pages")
    async def list_runs(
        project: Annotated[str, Query(description="Only this project.", max_length=200)] = "",
        state: Annotated[list[StateName] | None, Query(description="Only these states.")] = None,
        page_size: Annotated[int, Query(ge=1, le=1000)] = 50,
        page_token: Annotated[str, Query(max_length=1000)] = "",
    ) -> RunsBody:
        states = [run_pb2.RunState.Value(f"RUN_STATE_{name.upper()}") for name in state or []]
        page = await usecases.list_runs(project, states, page_size, page_token)
        return RunsBody(runs=[RunBody.of(run) for run in page.runs], next_page_token=page.next_page_token)

    @router.get("/{run_id}", summary="One run")
    async def get_run(run_id: str) -> RunBody:
        return RunBody.of(await usecases.get_run(run_id))

    return router
