"""What is shipped for deployment holds to rules of its own: containers, service, lock files."""

from __future__ import annotations

import configparser
import re
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from portfolio import __version__
from portfolio.options import OPTIONS
from portfolio.settings import Settings

ROOT = Path(__file__).parent.parent
COMPOSED = ["compose.yaml", "compose.postgres.yaml"]
SECRET = {f"FOLIOSYNC_{option.name}" for option in OPTIONS if option.secret}
OURS = f"foliosync:{__version__}"


def services(file):
    return yaml.safe_load((ROOT / file).read_text(encoding="utf-8"))["services"]


def each_service():
    return [
        pytest.param(of, id=f"{file}-{name}")
        for file in COMPOSED
        for name, of in services(file).items()
    ]


def ours():
    return [of for of in each_service() if of.values[0]["image"] == OURS]


@pytest.mark.parametrize("service", each_service())
def test_every_service_has_no_more_rights_than_it_needs(service):
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    assert service["restart"] == "unless-stopped"
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert not any("docker.sock" in str(of) for of in service.get("volumes", ()))


@pytest.mark.parametrize("service", each_service())
def test_every_image_is_of_a_known_version(service):
    tag = service["image"].rpartition(":")[2]
    assert tag != "latest"
    assert re.fullmatch(r"[\d.]+(-\w+)?", tag) or service["image"].startswith("${GATEWAY_IMAGE:?")


@pytest.mark.parametrize("service", each_service())
def test_no_secret_stands_in_an_environment(service):
    words = re.compile("PASSWORD|SECRET|TOKEN|DATABASE_URL")
    for name, value in service.get("environment", {}).items():
        assert name not in SECRET
        assert not words.search(name) or name.endswith("_FILE"), name
        assert "://" not in str(value) or value == "https://localhost:5000"


@pytest.mark.parametrize("service", [of for of in each_service() if "gateway" not in of.id])
def test_what_is_not_the_gateway_is_no_root_and_cannot_write_its_image(service):
    user, group = service["user"].split(":")
    assert int(user) > 0 < int(group)
    assert service["read_only"] is True
    assert any(of.startswith("/tmp:") for of in service["tmpfs"])
    assert service["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("service", ours())
def test_ours_is_given_settings_that_are_there_and_fit_together(service):
    environ = {k: v for k, v in service["environment"].items() if k.startswith("FOLIOSYNC_")}
    # Compose fills these in.
    filled = {k: v for k, v in environ.items() if not str(v).startswith("${")}
    filled.pop("FOLIOSYNC_CONFIG", None)
    settings = Settings.load(filled)
    assert settings.host == "0.0.0.0"
    assert {k.removeprefix("FOLIOSYNC_") for k in environ} - {"CONFIG"} <= {
        option.name for option in OPTIONS
    }


@pytest.mark.parametrize("service", ours())
def test_ours_is_beside_the_gateway_and_opens_no_port_itself(service):
    assert service["network_mode"] == "service:gateway"
    assert "ports" not in service
    assert {of.split(":")[1] for of in service["volumes"]} == {"/data", "/keys"}
    assert service["healthcheck"]["test"][1:3] == ["foliosync", "health"]


def test_there_are_a_web_process_a_worker_and_a_database():
    found = services("compose.postgres.yaml")
    assert found["worker"]["command"] == ["foliosync", "worker"]
    assert {found[of]["environment"]["FOLIOSYNC_JOBS"] for of in ("web", "worker")} == {"worker"}
    assert found["web"]["environment"]["FOLIOSYNC_AUTH"] == "password"
    assert "ports" not in found["database"]


def instructions():
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def stage(number):
    found, at = [], -1
    for line in instructions():
        at += line.startswith("FROM ")
        if at == number:
            found.append(line)
    return found


def test_the_image_is_small_and_runs_as_nobody():
    last = stage(1)
    (base,) = [line for line in instructions() if line.startswith("ARG BASE=")]
    assert re.fullmatch(r"ARG BASE=python:3\.\d+-slim-\w+", base)
    (user,) = [line for line in last if line.startswith("USER ")]
    assert user == "USER 10001:10001"
    assert any(line.startswith("HEALTHCHECK ") for line in last)
    # The image alone listens on loopback: who publishes its port by mistake publishes nothing.
    assert not any("FOLIOSYNC_HOST" in line or "CONTAINER_BIND" in line for line in last)
    assert not any("apt" in line or "pip install" in line for line in last)
    assert not any(line.startswith("ADD ") for line in instructions())


def test_the_image_takes_nothing_whose_hash_is_not_known():
    (building,) = [stage(0)]
    for command in " ".join(line[4:] for line in building if line.startswith("RUN ")).split("&&"):
        if " install " in command or " wheel " in command:
            assert "--require-hashes" in command or "--no-index" in command, command


def test_only_what_the_wheel_needs_is_sent_to_the_builder():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert next(line for line in lines if not line.startswith("#")) == "*"
    for line in lines:
        if line.startswith("!"):
            assert (ROOT / line[1:]).exists(), line


def locked(file="requirements.lock"):
    """Name, requirement and number of hashes of each line of a lock file."""
    text = (ROOT / file).read_text(encoding="utf-8")
    found = {}
    for entry in re.split(r"\n(?=\S)", text.strip()):
        line, *hashes = re.split(r"\s*\\\n\s+", entry)
        of = Requirement(line)
        found[canonicalize_name(of.name)] = of, hashes
    return found


def wanted():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    extras = parser["options.extras_require"]
    text = parser["options"]["install_requires"] + extras["postgres"] + extras["server"]
    return [Requirement(line) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("file", ["requirements.lock", "deploy/build.lock"])
def test_a_lock_file_has_versions_and_hashes_and_no_registry(file):
    assert "://" not in (ROOT / file).read_text(encoding="utf-8")
    for of, hashes in locked(file).values():
        assert [each.operator for each in of.specifier] == ["=="], of
        assert hashes, of
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes)


def version(of):
    (only,) = of.specifier
    return only.version


def test_the_lock_file_agrees_with_setup_cfg():
    found = locked()
    for of in wanted():
        name = canonicalize_name(of.name)
        assert name in found, f"{of} is not locked: run make lock"
        assert of.specifier.contains(version(found[name][0])), f"{of}: run make lock"
    built = (ROOT / "deploy/build.in").read_text("utf-8").splitlines()
    for of in map(Requirement, (line for line in built if not line.startswith("#"))):
        assert of.specifier.contains(version(locked("deploy/build.lock")[of.name][0]))


def needed(of, seen):
    """All that a requirement brings along on this system, by the packages installed here."""
    name = canonicalize_name(of.name)
    if name in seen and not of.extras:
        return
    seen.add(name)
    try:
        brought = [Requirement(line) for line in requires(of.name) or ()]
    except PackageNotFoundError:
        return
    for each in brought:
        extras = of.extras or {""}
        if each.marker is None or any(each.marker.evaluate({"extra": of}) for of in extras):
            needed(each, seen)


def test_what_is_locked_is_all_that_is_needed_and_nothing_else():
    seen = set()
    for of in wanted():
        if of.marker is None or of.marker.evaluate():
            needed(of, seen)
    here = {name for name, (of, _) in locked().items() if not of.marker or of.marker.evaluate()}
    assert here == seen


def test_the_service_has_no_more_rights_than_it_needs():
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read(ROOT / "deploy" / "foliosync.service", encoding="utf-8")
    service = dict(unit["Service"])
    assert service["ExecStart"].endswith("/gunicorn -c python:portfolio.gunicorn")
    assert service["User"] == "foliosync"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert service["UMask"] == "0077"
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices"):
        assert service[name] == "yes"


def test_the_pages_of_installing_name_what_is_there():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    for name in (
        *COMPOSED[1:],
        "deploy/foliosync.service",
        "requirements.lock",
        "foliosync health",
    ):
        assert name in page
    proxies = (ROOT / "docs" / "reverse-proxy.md").read_text(encoding="utf-8")
    assert "TRUSTED_PROXIES" in proxies
