"""Figures of the process, for Prometheus."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from postledger.store.engine import Size
from postledger.store.writer import Outcome

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_EVENTS = (1, 10, 100, 1_000, 10_000, 100_000)


class Figures:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "postledger_requests",
            "Requests, by method, route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "postledger_request_seconds",
            "Time for a request, by method and route.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._events = Counter(
            "postledger_events", "Events that were stored.", registry=self.registry
        )
        self._duplicates = Counter(
            "postledger_duplicates",
            "Events that came again, and were not stored again.",
            registry=self.registry,
        )
        self._rejects = Counter(
            "postledger_rejects", "Records that were refused.", registry=self.registry
        )
        self._insert_events = Histogram(
            "postledger_insert_events",
            "Events stored at once.",
            buckets=_EVENTS,
            registry=self.registry,
        )
        self._insert_seconds = Histogram(
            "postledger_insert_seconds",
            "Time to store them.",
            buckets=_SECONDS,
            registry=self.registry,
        )

        self.unfolded = Gauge(
            "postledger_unfolded_events",
            "Events that the roll-ups do not have yet.",
            registry=self.registry,
        )

    def watch_store(self, size: Callable[[], Size]) -> None:
        """Ask for the size of the store whenever the figures are read."""
        self.registry.register(_StoreSize(size))

    def stored(self, outcome: Outcome) -> None:
        self._events.inc(outcome.accepted)
        self._duplicates.inc(outcome.duplicates)

    def rejected(self, count: int) -> None:
        self._rejects.inc(count)

    @contextmanager
    def inserting(self, events: int) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._insert_events.observe(events)
        self._insert_seconds.observe(time.perf_counter() - started)

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self.registry)


class _StoreSize(Collector):
    def __init__(self, size: Callable[[], Size]) -> None:
        self._size = size

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        size = self._size()
        yield GaugeMetricFamily("postledger_store_parts", "Parts of the table.", value=size.parts)
        yield GaugeMetricFamily("postledger_store_bytes", "Bytes on disk.", value=size.bytes)
        yield GaugeMetricFamily("postledger_store_events", "Events stored.", value=size.events)
