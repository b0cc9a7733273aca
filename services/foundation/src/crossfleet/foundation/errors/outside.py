"""Outside systems: connectors, deliveries, sign-in."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class ConnectorFailed(CrossfleetError):
    """An outside system refused a delivery or could not be reached."""

    reason = "CONNECTOR_FAILED"
    code = StatusCode.UNAVAILABLE


class DeliveryDead(CrossfleetError):
    """A delivery failed for good and waits among the dead letters."""

    reason = "DELIVERY_DEAD"
    code = StatusCode.FAILED_PRECONDITION


class SignInFailed(CrossfleetError):
    """An identity provider or directory refused or could not be reached."""

    reason = "SIGN_IN_FAILED"
    code = StatusCode.UNAVAILABLE
