from __future__ import annotations

import pytest

from brokers.addresses import host_name, https_address, place


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://localhost:5000", "https://localhost:5000"),
        (" HTTPS://LocalHost:05000/ ", "https://localhost:5000"),
        ("https://nas.lan.", "https://nas.lan"),
        ("https://my_gateway:5000", "https://my_gateway:5000"),
        ("https://192.168.1.5:65535", "https://192.168.1.5:65535"),
        ("https://[::0001]:5000", "https://[::1]:5000"),
        ("https://[::ffff:127.0.0.1]:5000", "https://127.0.0.1:5000"),
        ("https://Bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_address_has_one_spelling(typed, kept):
    assert https_address(typed) == kept
    assert https_address(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        *("", "localhost:5000", "http://localhost", "https://", "https:///x", "https://x/y"),
        *("https://a b", "https://a\0b", "https://a\tb", "https://a\nb", "https://a\u202eb"),
        *(
            "https://<b>",
            'https://a"b',
            "https://a%62",
            "https://a..b",
            "https://.a",
            "https://-a",
        ),
        *("https://a:", "https://a:0", "https://a:65536", "https://a:5x", "https://a:+5"),
        *("https://me@a", "https://@a", "https://a:b@c", "https://a?x", "https://a#x"),
        *(
            "https://a?",
            "https://a#",
            "https://a\\b",
            "https://[::1",
            "https://::1",
            "https://[a]",
        ),
        *("https://[127.0.0.1]", "https://[fe80::1%25eth0]", "https://[::]", "https://0.0.0.0"),
        *("https://127.1", "https://1.2.3", "https://2130706433", "https://0x7f.1"),
        *("https://127.0.0.01", "https://256.1.1.1", "https://224.0.0.1", f"https://{'a' * 64}"),
        *("https://" + "a." * 140 + "a", "https://x" + "y" * 5000, "https://a:٥٠٠٠"),
    ],
)
def test_what_leads_nowhere_is_refused_with_a_reason(typed):
    with pytest.raises(ValueError, match=r"\w{3}") as caught:
        https_address(typed)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("typed", ["", "a b", "a,b", "x/../y", "a\0", "[", "]", "a:b"])
def test_a_host_that_is_none_is_refused(typed):
    with pytest.raises(ValueError, match="neither the name nor the address"):
        host_name(typed)


def test_spellings_of_one_place_are_told_from_other_places():
    here = {place(of) for of in ("https://localhost:5000", "https://127.0.0.1:5000")}
    assert here == {place("HTTPS://LOCALHOST:05000")}
    # A gateway that listens on all addresses is the same one under each of these.
    spelled = ("127.0.0.2", "[::1]", "[::ffff:127.0.0.1]", "ip6-localhost", "a.localhost")
    assert {place(f"https://{host}:5000") for host in spelled} == here
    assert place("https://localhost.example:5000") not in here
    assert place("https://nas") == place("https://nas:443")
    assert place("https://nas") != place("https://nas:5000")
    assert place("/home/me/accounts") == "/home/me/accounts"
