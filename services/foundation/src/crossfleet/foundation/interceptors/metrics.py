"""Counts and times calls for Prometheus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from weakref import WeakKeyDictionary

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.interceptors.layers import Call

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class _Instruments:
    def __init__(self, registry: CollectorRegistry) -> None:
        names = ("service", "method")
        self.calls = Counter(
            "crossfleet_rpc_calls", "Calls served, by status code.", (*names, "code"), registry=registry
        )
        self.seconds = Histogram(
            "crossfleet_rpc_seconds", "Time to serve a call, in seconds.", names, buckets=_BUCKETS, registry=registry
        )
        self.open = Gauge("crossfleet_rpc_open", "Calls being served now.", names, registry=registry)


# A registry refuses a second metric of one name, and a process may serve twice (tests do).
_instruments: WeakKeyDictionary[CollectorRegistry, _Instruments] = WeakKeyDictionary()


class MetricsLayer:
    """`crossfleet_rpc_calls_total{service,method,code}`, `crossfleet_rpc_seconds`, `crossfleet_rpc_open`."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        if registry not in _instruments:
            _instruments[registry] = _Instruments(registry)
        self._metrics = _instruments[registry]

    def __call__(self, call: Call) -> AbstractContextManager[None]:
        """Counts the call when it ends; INTERNAL for an exception that is not a CrossfleetError."""
        return self._measured(call)

    @contextmanager
    def _measured(self, call: Call) -> Iterator[None]:
        labels = (call.service, call.method)
        started = time.perf_counter()
        self._metrics.open.labels(*labels).inc()
        code = "OK"
        try:
            yield
        except CrossfleetError as error:
            code = error.code.name
            raise
        except (asyncio.CancelledError, GeneratorExit):
            code = "CANCELLED"
            raise
        except BaseException:
            code = "INTERNAL"
            raise
        finally:
            self._metrics.open.labels(*labels).dec()
            self._metrics.calls.labels(*labels, code).inc()
            self._metrics.seconds.labels(*labels).observe(time.perf_counter() - started)
