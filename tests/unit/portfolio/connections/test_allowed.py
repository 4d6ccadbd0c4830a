"""Which addresses of notifications people may enter."""

from __future__ import annotations

import pytest

from portfolio.connections.allowed import reason_against


@pytest.mark.parametrize(
    "address",
    [
        "ntfys://ntfy.sh/topic",
        "ntfy://token@192.168.1.5:8080/topic",
        "NTFYS://ntfy.sh/topic",
        "mailtos://smtp.example.org?user=me&pass=S%26cret&from=me@example.org&to=you@example.org",
        "tgram://123456789:abcdefg_hijklmnop/12315544",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    ],
)
def test_what_brings_a_message_may_be_entered(address):
    assert reason_against(address) is None


@pytest.mark.parametrize(
    "kind",
    "json jsons xml form forms fcm vapid file exec dbus syslog JSON apprise https ntfy+json mqtt"
    " smpp ssh".split(),
)
def test_what_sends_anything_anywhere_may_not(kind):
    assert "operator" in reason_against(f"{kind}://ntfy.sh/topic")


@pytest.mark.parametrize(
    "query",
    "method=DELETE keyfile=/etc/passwd subfile=x template=/etc/passwd pgpkey=x verify=no"
    " attach=http://127.0.0.1 redirect=yes +X-Header=z -x=1 :x=true to=me&method=PUT"
    " to=me;method=PUT to=me&&method=PUT to=me?method=PUT TO=me %6dethod=PUT to=me#?method=PUT"
    " to to=me& %20method=PUT".split(),
)
def test_what_follows_says_whom_it_is_for_and_no_more(query):
    assert "question mark" in reason_against(f"ntfys://ntfy.sh/topic?{query}")


def test_a_mark_that_hides_the_query_is_refused():
    assert "question mark" in reason_against("ntfys://ntfy.sh/#?to=me")
    assert "question mark" in reason_against("ntfys://ntfy.sh/topic?")
