"""How long requests take, by route and never by path: kept by each process for itself."""

from __future__ import annotations

from flask import Flask, Response, current_app, g, request
from prometheus_client import Histogram

from brokers.contract import Clock

EXTENSION = "foliosync-timing"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MILLISECONDS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 120_000)
# What is no route and no method of HTTP: strangers must choose neither label.
OTHER = "other"


def register(app: Flask, clock: Clock) -> None:
    """Measure every request from the gate to its answer."""
    times = Histogram(
        "foliosync_request_seconds",
        "Time from the gate to the answer, in this process since its start.",
        ("method", "route", "status"),
        buckets=tuple(each / 1000 for each in MILLISECONDS),
        registry=None,
    )
    app.extensions[EXTENSION] = times

    @app.before_request
    def begin() -> None:
        g.began = clock.monotonic()

    @app.after_request
    def end(response: Response) -> Response:
        began = g.get("began")
        if began is not None:
            times.labels(*labels(response.status_code)).observe(clock.monotonic() - began)
        return response


def labels(status: int) -> tuple[str, str, str]:
    """Method, template of the route, and class of the status of the current request."""
    method = request.method if request.method in METHODS else OTHER
    route = request.url_rule.rule if request.url_rule is not None else OTHER
    return method, route, f"{status // 100}xx"


def times() -> Histogram:
    """The measured times of the current application."""
    found: Histogram = current_app.extensions[EXTENSION]
    return found
