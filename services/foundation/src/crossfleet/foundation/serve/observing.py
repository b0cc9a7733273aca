"""Metrics and traces of a server, each only when it was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossfleet.foundation import telemetry
from crossfleet.foundation.interceptors.layers import Layer

if TYPE_CHECKING:  # prometheus_client is imported only where it is used
    from crossfleet.foundation.serve.metrics import MetricsEndpoint


class Observers:
    """The layers that observe calls, and the endpoint that shows what they counted."""

    def __init__(self, metrics_address: str) -> None:
        self._address = metrics_address
        self._endpoint: MetricsEndpoint | None = None

    @property
    def metrics_address(self) -> str:
        """Where Prometheus finds /metrics, with the port that was bound; empty without metrics."""
        return self._endpoint.address if self._endpoint is not None else ""

    def layers(self) -> list[Layer]:
        """The observing layers: trace context always (it is cheap), spans and metrics when configured."""
        found: list[Layer] = [telemetry.server_layer()]
        if self._address:
            from crossfleet.foundation.interceptors.metrics import MetricsLayer

            found.append(MetricsLayer())
        return found

    async def start(self) -> None:
        """Listens for Prometheus. Raises PortInUse, AddressInvalid."""
        if self._address:
            from crossfleet.foundation.serve.metrics import MetricsEndpoint

            self._endpoint = MetricsEndpoint(self._address)
            await self._endpoint.start()

    async def stop(self) -> None:
        """Closes the endpoint."""
        if self._endpoint is not None:
            await self._endpoint.stop()
            self._endpoint = None
