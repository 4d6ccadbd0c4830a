"""Files go out whole, whether they fit into memory or not."""

from __future__ import annotations

import pytest
from flask import Flask

from portfolio.web import respond

LONG = ["é" * 1000] * 1_500


@pytest.mark.parametrize("parts", [[], ["é"], LONG], ids=["empty", "short", "long"])
def test_a_file_has_all_its_parts_and_its_length(parts):
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: respond.file(iter(parts), "a.txt", "text/plain"))
    answer = app.test_client().get("/")
    assert answer.get_data(as_text=True) == "".join(parts)
    assert int(answer.headers["Content-Length"]) == len("".join(parts).encode())
    answer.close()


def test_whoever_stops_reading_leaves_nothing_open():
    with Flask(__name__).test_request_context():
        response = respond.file(LONG, "a.txt")
        read = response.response
        assert next(iter(read)).startswith("é".encode())
        response.close()
    assert list(read) == []


def test_a_part_that_cannot_be_made_is_raised_before_anything_is_sent():
    def parts():
        yield "a" * 2_000_000
        raise LookupError

    with Flask(__name__).test_request_context(), pytest.raises(LookupError):
        respond.file(parts(), "a.txt")
