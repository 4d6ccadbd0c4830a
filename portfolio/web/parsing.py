"""Request bodies, read strictly: what JSON allows but no number or name can mean is refused."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from tempfile import SpooledTemporaryFile
from typing import IO, Any, NoReturn, cast

from flask import Request
from marshmallow import Schema, fields
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import Authorization, FileStorage, MultiDict
from werkzeug.exceptions import BadRequest, NotFound, UnsupportedMediaType
from werkzeug.formparser import FormDataParser
from werkzeug.routing import IntegerConverter, Map
from werkzeug.utils import cached_property

from portfolio.db.paging import LARGEST_KEY
from portfolio.web import respond
from portfolio.web.gate import FORMS, TOKEN_FIELD

DEEPEST = 32


class StrictParser(FlaskParser):
    """Reads JSON, or a form where a form was sent, into what a schema checks."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body; a wrong content type is 415, anything unreadable 400."""
        if req.mimetype in FORMS:
            # A file where text belongs is told by its field, not passed over in silence.
            sent = {**dict(req.files.items()), **{of: _sent(req, schema, of) for of in req.form}}
            return {name: value for name, value in sent.items() if name != TOKEN_FIELD}
        raw = req.get_data(cache=True)
        if not raw:
            return {}
        if req.mimetype != "application/json":
            raise UnsupportedMediaType("The body is not JSON.")
        return parse(raw)


def _sent(req: Request, schema: Schema, name: str) -> Any:
    """A field of a form; one that may come several times as a list."""
    several = isinstance(schema.fields.get(name), fields.List)
    return req.form.getlist(name) if several else req.form[name]


class StrictFormParser(FormDataParser):
    """Reads forms; one that cannot be read is refused, where others take it for an empty one."""

    def parse(
        self,
        stream: IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        """The fields and files of a form; 400 where it is cut short or was never one."""
        self.silent = False
        try:
            return super().parse(stream, mimetype, content_length, options)
        except ValueError:
            _refuse("The form cannot be read.")


class Upload(SpooledTemporaryFile[bytes]):
    """A file on its way in; a large one waits in the folder for temporary files."""

    def write(self, s: Any) -> int:
        """Keep a part of it, or say that it does not fit there."""
        try:
            return super().write(s)
        except OSError as error:
            # What is not written yet is tried once more.
            with suppress(OSError):
                self.close()
            raise respond.no_room() from error


class StrictRequest(Request):
    """A request whose forms are read strictly; nothing that is sent with it makes reading fail."""

    form_data_parser_class = StrictFormParser

    @cached_property
    def authorization(self) -> Authorization | None:
        """Who is said to ask; None where it cannot be read, also where werkzeug fails at it."""
        try:
            return super().authorization
        except ValueError:
            return None

    def _get_file_stream(self, *_about: Any, **_more: Any) -> IO[bytes]:
        return cast("IO[bytes]", Upload(max_size=respond.IN_MEMORY))


class KeyConverter(IntegerConverter):
    """A key in a URL; one that no database could hold is not found, whatever the method."""

    # Plain digits: in other scripts one thing would have several names.
    regex = "[0-9]+"

    def __init__(self, url_map: Map) -> None:
        super().__init__(url_map, max=LARGEST_KEY)

    def to_python(self, value: str) -> int:
        """The key; a refusal would have the router say that the method is not allowed."""
        try:
            return int(super().to_python(value))
        except ValueError:
            raise NotFound from None


def parse(raw: bytes) -> Any:
    """The value of a JSON text in which each key stands once and each number is finite."""
    try:
        text = raw.decode("utf-8")
        if _depth(text) > DEEPEST:
            _refuse("The body is nested too deeply.")
        value = json.loads(
            text,
            parse_float=Decimal,
            parse_int=_integer,
            parse_constant=lambda name: _refuse(f"{name} is not a number."),
            object_pairs_hook=_unique,
        )
    except (UnicodeDecodeError, json.JSONDecodeError):
        _refuse("The body is not valid JSON in UTF-8.")
    _whole_text(value)
    return value


def _refuse(why: str) -> NoReturn:
    raise BadRequest(why)


def _depth(text: str) -> int:
    """At most how deep brackets nest; those within strings count too, which errs on our side."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= 40 else _refuse("A number has too many digits.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        _refuse(f"The key “{twice[:40]}” stands twice.")
    return found


def _whole_text(value: Any) -> None:
    """Refuse half characters (lone surrogates), which no database and no page can hold."""
    if isinstance(value, str):
        if not value.isprintable() and any("\ud800" <= c <= "\udfff" for c in value):
            _refuse("The body has half a character (a lone surrogate).")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _whole_text(name)
            _whole_text(inner)
    elif isinstance(value, list):
        for inner in value:
            _whole_text(inner)
