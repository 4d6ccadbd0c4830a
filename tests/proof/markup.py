"""HTML as a browser would take it apart: its elements, its forms, and what is strange in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
NOWHERE = frozenset("applet base embed frame iframe img object style video audio".split())
ADDRESSES = frozenset("href src action formaction hx-get hx-post xlink:href srcdoc".split())
MARK = "fzx"


@dataclass
class Form:
    """A form: where it goes, and what it sends if nobody touches it."""

    action: str
    method: str
    files: bool
    fields: list[tuple[str, str, str]] = field(default_factory=list)

    def sends(self) -> dict[str, str]:
        """The fields by name; of several of one name the last."""
        return {name: value for name, _, value in self.fields}

    def typed(self) -> dict[str, str]:
        """The fields that a person types into."""
        return {name: value for name, kind, value in self.fields if kind in {"text", "textarea"}}


class Markup(HTMLParser):
    """A parsed document or fragment."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._area: tuple[str, list[str]] | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.elements.append((tag, of))
        if tag == "form":
            files = of.get("enctype") == "multipart/form-data"
            self._form = Form(of.get("action", ""), of.get("method", "get"), files)
            self.forms.append(self._form)
        elif tag == "textarea":
            self._area = of.get("name", ""), []
        elif tag == "select":
            self._select = of.get("name", ""), []
        elif tag == "option" and self._select:
            self._select[1].append((of.get("value", ""), "selected" in of))
        elif tag in {"input", "button"} and of.get("name"):
            self._field(tag, of)

    def _field(self, tag: str, of: dict[str, str]) -> None:
        kind = of.get("type", "text") if tag == "input" else "button"
        if self._form is None or (kind in {"radio", "checkbox"} and "checked" not in of):
            return
        shown = "text" if kind in {"text", "search", "date", "number"} else kind
        self._form.fields.append((of["name"], shown, of.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._area:
            self._area[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area:
            name, parts = self._area
            self._area = None
            if self._form:
                # A parser leaves the first line end out.
                self._form.fields.append((name, "textarea", "".join(parts).removeprefix("\n")))
        elif tag == "select" and self._select:
            name, options = self._select
            self._select = None
            chosen = [value for value, on in options if on] or [value for value, _ in options]
            if self._form and options:
                self._form.fields.append((name, "select", chosen[0]))
        elif tag == "form":
            self._form = None

    @property
    def links(self) -> list[str]:
        """Where its links lead within the application."""
        found = (of["href"] for tag, of in self.elements if tag == "a" and "href" in of)
        return [link.partition("#")[0] for link in found if link.startswith("/")]


def strange(text: str) -> list[str]:
    """What a page of ours never has, however what it shows is named."""
    found = []
    for tag, of in Markup(text).elements:
        where = f"<{tag} {of}>"[:300]
        names = {tag, *of}
        if tag in NOWHERE or any(MARK in name or name.startswith("on") for name in names):
            found.append(where)
        if MARK in of.get("id", "") or MARK in of.get("class", ""):
            found.append(where)
        if tag == "script" and (set(of) != {"src", "defer"} or not _ours(of["src"], "/static/")):
            found.append(where)
        if any(not _leads_somewhere(of[name]) for name in ADDRESSES & set(of)):
            found.append(where)
    return found


def _ours(address: str, start: str) -> bool:
    return address.startswith(start) and MARK not in address


def _leads_somewhere(address: str) -> bool:
    """Whether an address is a path of ours, or a page of somebody else in plain sight."""
    if address.startswith(("/", "#", "?")) or not address:
        return not address.startswith(("//", "/\\"))
    return urlsplit(address).scheme in {"http", "https"}
