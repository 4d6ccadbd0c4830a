"""The API for people, made from the OpenAPI document: a page, and the same as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from portfolio.web.openapi import TOKEN

METHODS = ("get", "post", "patch", "delete")
# What stands for each part of a path in the examples.
EXAMPLE_PATH = {
    "portfolio_id": "1",
    "account_name": "IBKR Main",
    "holding_id": "1",
    "cash_id": "1",
    "rate_id": "1",
    "gateway_id": "1",
    "run_id": "RUN",
    "target_id": "TARGET",
    "broker": "ibkr",
    "connection_id": "1",
}
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDoc:
    """A field of a body, or a parameter of a query."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDoc:
    """One method of one path, with an example that works.

    `scope` is what a token must have; None where no token opens it. `others` are the statuses with
    which it also succeeds, each with what that means.
    """

    method: str
    path: str
    summary: str
    query: tuple[FieldDoc, ...]
    body: tuple[FieldDoc, ...]
    answer: tuple[FieldDoc, ...]
    scope: str | None
    status: int
    others: tuple[str, ...]
    example: Mapping[str, Any] | None

    @property
    def example_path(self) -> str:
        """The path with an example of each part."""
        path = self.path
        for name, value in EXAMPLE_PATH.items():
            path = path.replace(f"{{{name}}}", quote(value))
        return path

    @property
    def statuses(self) -> str:
        """With what it is answered when all is well."""
        return " or ".join((str(self.status), *self.others))

    @property
    def example_json(self) -> str:
        """The example body as text."""
        return "" if self.example is None else json.dumps(self.example, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """The operations of one subject."""

    title: str
    operations: tuple[OperationDoc, ...]


def chapters(document: Document) -> tuple[Chapter, ...]:
    """The whole document, subject by subject."""
    titles = {tag["name"]: tag["description"] for tag in document["tags"]}
    # Several blueprints may be of one subject.
    found: dict[str, list[OperationDoc]] = {title: [] for title in titles.values()}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                of = _operation(document, method, path, operation)
                found[titles[operation["tags"][0]]].append(of)
    return tuple(
        Chapter(title=title, operations=tuple(rows)) for title, rows in found.items() if rows
    )


def _operation(document: Document, method: str, path: str, of: Mapping[str, Any]) -> OperationDoc:
    body = _schema(document, of.get("requestBody", {}))
    well = {int(code): each for code, each in of["responses"].items() if code.startswith("2")}
    status = 201 if 201 in well else min(well)
    answer = _schema(document, of["responses"][str(status)])
    query = [each for each in of.get("parameters", ()) if each["in"] == "query"]
    return OperationDoc(
        method=method.upper(),
        path=path,
        summary=of["summary"],
        query=tuple(_parameter(each) for each in query),
        body=_fields(document, body),
        answer=_fields(document, answer),
        scope=_scope(of),
        status=status,
        others=tuple(
            f"{code} ({each['description']})" for code, each in well.items() if code != status
        ),
        example=_example(document, body) if body else None,
    )


def _scope(of: Mapping[str, Any]) -> str | None:
    return next((each[TOKEN][0] for each in of["security"] if TOKEN in each), None)


def _parameter(of: Mapping[str, Any]) -> FieldDoc:
    return FieldDoc(name=of["name"], type=_type(of["schema"]), required=of.get("required", False))


def _schema(document: Document, holder: Mapping[str, Any]) -> Mapping[str, Any]:
    content = holder.get("content", {}).get("application/json", {})
    return _resolved(document, content.get("schema", {}))


def _resolved(document: Document, schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return _resolved(document, _component(document, schema["$ref"]))
    if "allOf" in schema:
        return _resolved(document, schema["allOf"][0])
    if "anyOf" in schema:
        return _resolved(document, schema["anyOf"][0])
    return schema


def _component(document: Document, reference: str) -> Mapping[str, Any]:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _fields(document: Document, schema: Mapping[str, Any]) -> tuple[FieldDoc, ...]:
    needed = schema.get("required", ())
    return tuple(
        FieldDoc(name=name, type=_type(_resolved(document, of)), required=name in needed)
        for name, of in schema.get("properties", {}).items()
    )


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        # A field that takes nothing but null has no other word.
        words = [str(value) for value in schema["enum"] if value not in ("", None)]
        return " | ".join(words) or "null"
    types = schema.get("type", "object")
    names = [types] if isinstance(types, str) else types
    form = schema.get("format")
    shown = [form if name == "string" and form else name for name in names]
    return " or ".join(shown)


def _example(document: Document, schema: Mapping[str, Any]) -> dict[str, Any]:
    needed: Sequence[str] = schema.get("required", ())
    found = {}
    for name, of in schema.get("properties", {}).items():
        if "example" in of:
            found[name] = of["example"]
        elif "properties" in (inner := _resolved(document, of)):
            found[name] = _example(document, inner)
        elif name in needed:
            raise LookupError(f"{name} of {schema} is needed and has no example")
    return found


def as_markdown(document: Document) -> str:
    """The documentation of the API as Markdown."""
    lines: list[str] = []
    for chapter in chapters(document):
        lines += [f"## {chapter.title}", ""]
        for of in chapter.operations:
            lines += [
                f"### `{of.method} {of.path}`",
                "",
                f"{of.summary} {_who(of)}",
                "",
                *_curl(of),
            ]
            for title, fields in (("Query", of.query), ("Body", of.body), ("Answer", of.answer)):
                if fields:
                    listed = ", ".join(_shown(field, title) for field in fields)
                    lines += [f"{title}: {listed}.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _who(of: OperationDoc) -> str:
    return f"Scope: `{of.scope}`." if of.scope else "No token opens it."


def _shown(field: FieldDoc, title: str) -> str:
    must = ", required" if field.required and title == "Body" else ""
    return f"`{field.name}` ({field.type}{must})"


def _curl(of: OperationDoc) -> list[str]:
    method = "" if of.method == "GET" else f" -X {of.method}"
    lines = [f"curl{method} 'http://127.0.0.1:8000{of.example_path}'"]
    if of.example is not None:
        lines[0] += " \\"
        lines.append(f"  -H 'Content-Type: application/json' -d '{of.example_json}'")
    return ["```sh", *lines, "```", f"→ {of.statuses}", ""]
