"""Background work in a small pool of threads of the web process."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from flask import Flask

from portfolio.jobs.engine import Task

THREADS = 8


class EmbeddedEngine:
    """Threads are made when the first task comes, so that building an application starts none."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="foliosync")

    def defer(self, task: Task) -> Future[None]:
        """Run a task soon, with the application at hand."""
        return self._pool.submit(self._within, task)

    def _within(self, task: Task) -> None:
        with self._app.app_context():
            task()

    def stop(self) -> None:
        """Take no more tasks and let those under way end."""
        self._pool.shutdown(wait=True, cancel_futures=True)
