from __future__ import annotations

from pathlib import Path

import pytest

from portfolio.errors import SetupProblem
from portfolio.options import OPTIONS
from portfolio.serving import address
from portfolio.settings import Settings


def test_defaults_are_what_the_documents_say():
    settings = Settings.load({})
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.ibkr_gateway_url == settings.gateway_login_url == "https://localhost:5000"
    assert settings.sqlite_file == Path("~/.foliosync/foliosync.db").expanduser().resolve()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "many"),
        ("HOST", "0.0.0.0"),
        ("HOST", ""),
        ("DATA_DIR", " "),
        ("ALLOWED_HOSTS", "https://folio.example"),
        ("ALLOWED_HOSTS", "folio.example:8000"),
        ("ALLOWED_HOSTS", "*.folio.example"),
        ("IBKR_GATEWAY_URL", "http://localhost:5000"),
        ("IBKR_GATEWAY_URL", "https://me:secret@localhost:5000"),
        ("IBKR_GATEWAY_URL", "https://localhost:99999"),
        ("JOBS", "sometimes"),
        ("SYNC_INTERVAL", "-1"),
        ("SYNC_INTERVAL", "99999999999"),
        ("KEEPALIVE_INTERVAL", "9"),
        ("KEEPALIVE_INTERVAL", "often"),
        ("REFERENCE_RATES", "hourly"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../../etc/passwd"),
        ("PROT", "8000"),
        ("AUTH", "none"),
        ("CONTAINER_BIND", "maybe"),
        ("LOGIN_IDLE", "0"),
        ("LOGIN_LONGEST", "2161"),
    ],
)
def test_a_wrong_value_or_name_is_refused_in_one_sentence(name, value):
    with pytest.raises(SetupProblem) as caught:
        Settings.load({f"FOLIOSYNC_{name}": value})
    assert str(caught.value).count("FOLIOSYNC_") == 1
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_address_of_ipv6_may_stand_in_brackets():
    for written in ("[::1]", " [::1] ", "::1"):
        settings = Settings.load({"FOLIOSYNC_HOST": written})
        assert (settings.host, address(settings)) == ("::1", "[::1]:8000")
    with pytest.raises(SetupProblem, match="without logins"):
        Settings.load({"FOLIOSYNC_HOST": "[::]"})
    for wrong in ("[::1", "[]"):
        with pytest.raises(SetupProblem, match="FOLIOSYNC_HOST"):
            Settings.load({"FOLIOSYNC_HOST": wrong})


def test_a_home_that_is_not_there_is_said_and_another_folder_will_do(tmp_path, monkeypatch):
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    for given in ({}, {"FOLIOSYNC_CONFIG": "~/foliosync.toml"}):
        with pytest.raises(SetupProblem, match="has no home folder of that name"):
            Settings.load(given)
    here = {"FOLIOSYNC_DATA_DIR": str(tmp_path)}
    for name, file in (("KEY_FILE", "sealing_file"), ("SECRET_KEY_FILE", "secret_file")):
        settings = Settings.load({**here, f"FOLIOSYNC_{name}": "~nobody-at-all/key"})
        with pytest.raises(SetupProblem, match="FOLIOSYNC_DATA_DIR"):
            getattr(settings, file)
    assert Settings.load(here).data_dir == tmp_path


def test_the_environment_wins_over_the_file(tmp_path):
    file = tmp_path / "foliosync.toml"
    file.write_text('PORT = 8100\nallowed_hosts = ["a.example", "b.example"]\n', encoding="utf-8")
    settings = Settings.load({"FOLIOSYNC_PORT": "8200"}, file=file)
    assert settings.port == 8200
    assert settings.allowed_hosts == ("a.example", "b.example")
    named = Settings.load({"FOLIOSYNC_CONFIG": str(file)})
    assert named.port == 8100


@pytest.mark.parametrize("text", ["PORT = [", "\xff\xfe", "SPORT = 1"])
def test_a_wrong_file_is_refused(tmp_path, text):
    file = tmp_path / "foliosync.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SetupProblem, match="toml"):
        Settings.load({}, file=file)
    with pytest.raises(SetupProblem, match="cannot be read"):
        Settings.load({}, file=tmp_path / "absent.toml")


def test_off_is_shown_as_what_it_is():
    settings = Settings.load({"FOLIOSYNC_SYNC_INTERVAL": "0"})
    shown = {option.name: settings.shown(option) for option in OPTIONS}
    assert (shown["SYNC_INTERVAL"], shown["KEEPALIVE_INTERVAL"]) == ("0", "60")
    assert (shown["TIMEZONE"], shown["REFERENCE_RATES"]) == ("", "off")


SECRETS = {
    "DATABASE_URL": "postgresql+psycopg://me:canary-4711@localhost/p",
    "NOTIFY_URLS": "json://me:canary-4711@localhost",
    "ENCRYPTION_KEYS": "canary-4711-key-that-has-43-characters-abcd=",
    "METRICS_TOKEN": "canary-4711-token-of-a-monitor",
}


def test_a_secret_value_is_never_repeated():
    assert {option.name for option in OPTIONS if option.secret} == set(SECRETS)
    settings = Settings.load({f"FOLIOSYNC_{name}": value for name, value in SECRETS.items()})
    assert "canary" not in repr(settings)
    for option in OPTIONS:
        assert "canary" not in settings.shown(option)
    with pytest.raises(SetupProblem) as caught:
        Settings.load({"FOLIOSYNC_NOTIFY_URLS": "canary-4711"})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ("", ()),
        (" , ", ()),
        ("ntfy://a, ntfy://b,", ("ntfy://a", "ntfy://b")),
        ("ntfy://a,\nntfy://a", ("ntfy://a",)),
        (
            "mailto://u:p@x.org?to=a@x.org,b@x.org,json://h",
            ("mailto://u:p@x.org?to=a@x.org,b@x.org", "json://h"),
        ),
        ("https://hooks.slack.com/services/T/B/c", ("https://hooks.slack.com/services/T/B/c",)),
    ],
)
def test_targets_are_separated_by_commas_that_a_scheme_follows(value, urls):
    assert Settings.load({"FOLIOSYNC_NOTIFY_URLS": value}).notify_urls == urls


@pytest.mark.parametrize(
    "value", ["topic", "ntfy://a, me@x.org://", "ntfy://a\x00", "://x", "1://"]
)
def test_what_is_no_address_is_refused(value):
    with pytest.raises(SetupProblem, match="its value is not addresses of Apprise"):
        Settings.load({"FOLIOSYNC_NOTIFY_URLS": value})


def test_a_file_may_list_the_targets(tmp_path):
    file = tmp_path / "foliosync.toml"
    file.write_text('notify_urls = ["ntfy://a", "json://b?to=c,d"]\n', encoding="utf-8")
    assert Settings.load({}, file=file).notify_urls == ("ntfy://a", "json://b?to=c,d")


def test_names_of_ours_are_as_browsers_send_them():
    allowed = {"FOLIOSYNC_ALLOWED_HOSTS": "Folio.example, müller.example,[FD00::1]"}
    found = Settings.load(allowed).allowed_hosts
    assert found == ("folio.example", "xn--mller-kva.example", "fd00::1")


def test_every_option_is_documented():
    assert all(option.help and option.expects for option in OPTIONS)


@pytest.mark.parametrize("more", [{"AUTH": "password"}, {"CONTAINER_BIND": "yes"}])
def test_beyond_loopback_it_listens_with_logins_or_in_a_closed_container(more):
    given = {"FOLIOSYNC_HOST": "0.0.0.0"} | {f"FOLIOSYNC_{k}": v for k, v in more.items()}
    assert Settings.load(given).host == "0.0.0.0"
