"""The files of the front end, under addresses that name their content.

An answer to an address with the right hash may be kept for good; any other is asked about again
each time. A file is read and compressed once, and anew when it has changed on the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from flask import Flask, Response, request

from portfolio.errors import NotFound
from portfolio.web import compression

ENDPOINT = "static"
# Of our own: what a computer says of endings depends on what is installed there.
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
FOR_GOOD = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
LETTERS = 16
SMALLEST = 9


class File:
    """A file as it was read."""

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        self.hash = sha256(self.content).hexdigest()[:LETTERS]
        self.mimetype = TYPES.get(path.suffix, "text/plain")

    @cached_property
    def gzip(self) -> bytes:
        """The content, compressed as far as it goes."""
        return compression.compressed(self.content, SMALLEST)


class Files:
    """The files that a folder has at the start, by their names; read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        found = [path for path in folder.rglob("*") if path.is_file()]
        self._paths = {path.relative_to(folder).as_posix(): path for path in found}
        self._read: dict[str, tuple[tuple[int, int], File]] = {}

    def file(self, name: str) -> File:
        """A file as it is now, or `NotFound`."""
        if name not in self._paths:
            raise NotFound("file")
        try:
            about = self._paths[name].stat()
            stamp = about.st_mtime_ns, about.st_size
            seen, found = self._read.get(name, (None, None))
            if found is None or seen != stamp:
                found = File(self._paths[name])
                self._read[name] = stamp, found
        except OSError:
            raise NotFound("file") from None
        return found


def register(app: Flask, folder: Path, url_for: Callable[..., str]) -> None:
    """Serve the files of a folder, and let templates name them."""
    files = Files(folder)

    @app.get("/static/<path:filename>", endpoint=ENDPOINT)
    def static(filename: str) -> Response:
        return answer(files.file(filename))

    @app.template_global()
    def static_url(name: str) -> str:
        return url_for(ENDPOINT, filename=name, v=files.file(name).hash)


def answer(file: File) -> Response:
    """A file as this request may have it; `Range` is not looked at, because all are small."""
    packed = compression.takes_gzip(request) and len(file.gzip) < len(file.content)
    response = Response(file.gzip if packed else file.content, mimetype=file.mimetype)
    if packed:
        response.content_encoding = compression.GZIP
    response.vary.add(compression.ACCEPT)
    # Another encoding is another answer, which must not be confirmed as this one.
    response.set_etag(f"{file.hash}-{compression.GZIP}" if packed else file.hash)
    is_right = request.args.get("v") == file.hash
    response.headers["Cache-Control"] = FOR_GOOD if is_right else ASK_AGAIN
    response.make_conditional(request)
    return response
