"""The documented JSON: the OpenAPI document, strict blueprints, and exact fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from threading import Lock
from typing import Any

from apispec import BasePlugin
from flask import Flask, Response, json
from flask_smorest import Api
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema, fields, validate
from marshmallow.exceptions import ValidationError

from portfolio.db.base import canonical, typed_decimal
from portfolio.db.paging import DEFAULT_LIMIT, LARGEST_LIMIT
from portfolio.web.parsing import StrictParser
from portfolio.web.scopes import SCOPE_OF

TITLE = "Foliosync"
VERSION = "v1"
SPEC = "foliosync-openapi"


class Blueprint(SmorestBlueprint):
    """A documented JSON blueprint whose bodies are read strictly."""

    ARGUMENTS_PARSER = StrictParser()

    def register_views_in_doc(self, api: DocumentedApi, *args: Any, **more: Any) -> None:
        """Describe the routes once somebody asks: a start that describes them takes longer."""
        api.undescribed.append(partial(super().register_views_in_doc, api, *args, **more))

    def arguments(self, schema: type[Schema], *, location: str = "json", **more: Any) -> Any:
        """What a request brings; a body of which nothing is required need not be there."""
        needed = any(of.required for of in schema().fields.values())
        return super().arguments(schema, location=location, required=needed, **more)


NOT_EXACT = (
    "Write plain digits with a point, such as {}: at most 20 before it and 20 after it, no comma, "
    "no exponent, no thousands separators."
)
# A form sends text only: of JSON is spoken to programs, and where it is not a string.
AS_TYPED, AS_STRING = NOT_EXACT.format("12.5"), NOT_EXACT.format('"12.5" (in JSON a string)')


class Exact(fields.Field[Decimal]):
    """A decimal as a string of plain digits; exact both ways, and never a JSON number."""

    PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"

    def __init__(self, *, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": self.PATTERN, **(metadata or {})}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        number = typed_decimal(value) if isinstance(value, str) else None
        if number is None:
            raise ValidationError(AS_TYPED if isinstance(value, str) else AS_STRING)
        return number

    def _serialize(self, value: Decimal | None, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else canonical(value)


class Typed(Exact):
    """A decimal as a person or a program sends it."""

    PATTERN = r"^-?[0-9]{1,20}(\.[0-9]{1,20})?$"


def utc(value: datetime) -> str:
    """A time as all JSON says it."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Utc(fields.Field[datetime]):
    """A time in ISO 8601, always UTC."""

    def _serialize(self, value: datetime | None, attr: Any, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else utc(value)


class Flag(fields.Boolean):
    """A boolean; from a form also as on and off, never as a number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(truthy={True, "true", "on"}, falsy={False, "false", "off"}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, int) and not isinstance(value, bool):
            raise ValidationError("Not a valid boolean.")
        return bool(super()._deserialize(value, attr, data, **kwargs))


class OneOf(validate.OneOf):
    """One of several words; an empty one is as good as none, and is not told among them."""

    def __init__(self, choices: Iterable[str]) -> None:
        super().__init__(choices)
        self.choices_text = ", ".join(str(choice) for choice in self.choices if choice)


class ErrorBody(Schema):
    """What every failure says."""

    code = fields.String(required=True, metadata={"example": "not_found"})
    message = fields.String(required=True, metadata={"example": "There is no such account."})
    remedy = fields.String(allow_none=True, required=True)
    fields_ = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        data_key="fields",
        attribute="fields",
    )
    retry_at = fields.String(allow_none=True, required=True)


class Failure(Schema):
    """The one shape of an error."""

    error = fields.Nested(ErrorBody, required=True)


class PageQuery(Schema):
    """Which stretch of a list is wanted."""

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT, validate=validate.Range(min=1, max=LARGEST_LIMIT)
    )
    cursor = fields.String(
        load_default="0",
        validate=validate.Regexp(r"\A[0-9]{1,9}\Z"),
        metadata={"pattern": "^[0-9]{1,9}$"},
    )


# A request that cannot be read or comes under a foreign name; nobody is signed in, or may not do
# this; too many tries; a locked or broken database.
ALWAYS = (400, 401, 403, 429, 503)
# What is stored says otherwise; more is sent than is taken.
OF_CHANGES = (409, 413)
TOKEN, LOGIN = "token", "login"
SCHEMES = {
    TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of a program; its scope is named at each operation.",
    },
    LOGIN: {
        "type": "apiKey",
        "in": "cookie",
        "name": "foliosync_login",
        "description": "The cookie of a browser; changes also need our Origin and a form token.",
    },
}


class Failures(BasePlugin):
    """Names each status with which an operation can fail, so that any other one is a fault.

    And who may ask: a token of a scope, a browser that is signed in, or without logins anybody.
    """

    def __init__(self, *, logins: bool) -> None:
        self._logins = logins

    def _security(self, rule: Any) -> list[dict[str, list[str]]]:
        scope = SCOPE_OF.get(getattr(rule, "endpoint", ""))
        anybody: list[dict[str, list[str]]] = [{LOGIN: []}] if self._logins else [{}]
        return [{TOKEN: [scope]}, *anybody] if scope else anybody

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Add what follows from the path and the method; the rest is said at the route."""
        for method, operation in (operations or {}).items():
            responses = operation["responses"]
            operation["security"] = self._security(kwargs.get("rule"))
            said = {str(status) for status in responses}
            for status in _failures(path or "", method, operation):
                if str(status) not in said:
                    responses[str(status)] = HTTPStatus(status).name


def _failures(path: str, method: str, operation: dict[str, Any]) -> tuple[int, ...]:
    of_method = () if method == "get" else OF_CHANGES
    of_path = (404,) if "{" in path else ()
    of_body = (415,) if "requestBody" in operation else ()
    return (*ALWAYS, *of_method, *of_path, *of_body)


class DocumentedApi(Api):
    """The API object; failures have our own shape and handlers."""

    ERROR_SCHEMA = Failure
    # A default would stand for every status there is.
    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, *args: Any, **more: Any) -> None:
        self.undescribed: list[Callable[[], None]] = []
        self._describing = Lock()
        super().__init__(*args, **more)

    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        with self._describing:
            while self.undescribed:
                self.undescribed.pop(0)()
        described: dict[str, Any] = self.spec.to_dict()
        return described

    def _openapi_json(self) -> Response:
        """The document as the route of the library shows it."""
        shown = json.dumps(self.document(), indent=2, sort_keys=False)
        return Response(shown, mimetype="application/json")

    def _register_error_handlers(self) -> None:
        """Our own handlers are registered for the whole application."""


def register(app: Flask, *, logins: bool = False) -> Api:
    """The API object, with the document at `/api/openapi.json`."""
    app.config.update(
        API_TITLE=TITLE,
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api",
        OPENAPI_JSON_PATH="openapi.json",
    )
    api = DocumentedApi(app, spec_kwargs={"extra_plugins": [Failures(logins=logins)]})
    for name, scheme in SCHEMES.items():
        if logins or name == TOKEN:
            api.spec.components.security_scheme(name, scheme)
    for kind in (Exact, Typed):
        api.register_field(kind, "string", "decimal")
    api.register_field(Utc, "string", "date-time")
    app.extensions[SPEC] = api
    return api


def document(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of an application."""
    api: DocumentedApi = app.extensions[SPEC]
    return api.document()
