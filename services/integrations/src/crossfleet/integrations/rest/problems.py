"""Errors as RFC 9457 problem details: the same reasons as in gRPC, by one table of status codes."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from crossfleet.foundation.errors import CrossfleetError, FieldViolation, InternalError, InvalidArgument
from crossfleet.integrations.rest.shapes import ProblemBody

# google.rpc.Code's own mapping to HTTP.
STATUS: Mapping[grpc.StatusCode, int] = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


def problem(error: CrossfleetError) -> JSONResponse:
    """The answer for an error, as application/problem+json."""
    status = STATUS.get(error.code, 500)
    body = ProblemBody(
        type=f"urn:crossfleet:error:{error.reason}",
        title=error.reason.replace("_", " ").capitalize(),
        status=status,
        detail=error.message,
        reason=error.reason,
        metadata=dict(error.metadata),
        fields={violation.path: violation.description for violation in error.fields},
    )
    headers = {"Retry-After": str(max(1, round(error.retry_after)))} if error.retry_after else {}
    if status == STATUS[grpc.StatusCode.UNAUTHENTICATED]:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body.model_dump(), status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Makes every error of `app` a problem, those of validation and unforeseen ones too."""

    @app.exception_handler(CrossfleetError)
    async def known(request: Request, error: CrossfleetError) -> JSONResponse:
        return problem(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [FieldViolation(".".join(str(part) for part in e["loc"]), e["msg"]) for e in error.errors()]
        return problem(InvalidArgument(f"{len(fields)} fields of the request are wrong", fields=fields))

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        return problem(InternalError("something went wrong in the gateway; its log says what", path=request.url.path))
