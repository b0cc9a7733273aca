"""What all errors of crossfleet have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import grpc


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One wrong field: `path` as in the request (`targets[1].selector`), `description` says what is allowed instead."""

    path: str
    description: str


class CrossfleetError(Exception):
    """An error that may cross a process border: one reason, one status code, and what varies as metadata.

    Each concrete subclass fixes `reason` (a name of the proto enum ErrorReason without its prefix) and `code`.
    `message` is for people; `metadata` (strings) is for programs; `fields` name wrong input; `retry_after` (seconds)
    says when the same call may succeed. Raise a subclass, never this class.
    """

    reason: ClassVar[str] = ""
    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        message: str = "",
        *,
        fields: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
        **metadata: object,
    ) -> None:
        text = message or (type(self).__doc__ or type(self).__name__).strip().splitlines()[0]
        super().__init__(text)
        self.message = text
        self.fields: tuple[FieldViolation, ...] = tuple(fields)
        self.retry_after = retry_after
        self.metadata: Mapping[str, str] = {key: str(value) for key, value in metadata.items()}

    def __str__(self) -> str:
        """The message, followed by each wrong field."""
        return "; ".join([self.message, *(f"{field.path}: {field.description}" for field in self.fields)])
