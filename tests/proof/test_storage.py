"""Storage that fails: the N-th write of a task, for every N; always the old state or the new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.proof.disk import FROM_THEN_ON, ONCE, Disk, built, disk_below
from tests.proof.stand import JSON, KIDS, MAIN, Stand, is_whole, stand

# Far more than any of these tasks makes.
MOST = 3_000
WAYS = [("ENOSPC", FROM_THEN_ON), ("EIO", FROM_THEN_ON), ("ENOSPC", ONCE), ("EIO", ONCE)]
NAMES = {FROM_THEN_ON: "from then on", ONCE: "once"}


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("disk"))


@pytest.fixture
def disk(tmp_path: Path, library: Path) -> Iterator[Disk]:
    with disk_below(tmp_path / "data", library) as found:
        yield found


def numbers(count: int, wanted: int) -> list[int]:
    """So many of the numbers up to `count`, evenly: the first and the last are among them."""
    if wanted >= count:
        return list(range(1, count + 1))
    return sorted({1 + (count - 1) * each // (wanted - 1) for each in range(wanted)})


def counted(disk: Disk, task: Callable[[], Any]) -> int:
    """How many writes a task makes when all is well."""
    with disk.failing(0, "EIO", ONCE):
        task()
        return disk.seen


def schedules(count: int, wanted: int) -> Iterator[tuple[int, str, int]]:
    """Each way to fail at so many of the writes; the last number is one that is not reached."""
    for error, mode in WAYS:
        for number in numbers(count, wanted):
            yield number, error, mode


def code_of(answer: Any) -> str:
    """The code of a failure, in whichever of the documented shapes it came."""
    body = answer.json()
    assert body["error"]["message"], body
    assert body["error"]["remedy"], body
    return str(body["error"]["code"])


def fail_a_sync(at: Stand, number: int, error: str, mode: int) -> str:
    """One sync whose N-th write fails; what became of it."""
    which = f"sync: write {number} fails with {error}, {NAMES[mode]}"
    old, new = at.sides.stored[1 - at.sides.side], at.sides.stored[at.sides.side]
    _, shown_before = at.shown()
    assert at.state() == old, which
    with at.disk.failing(number, error, mode):
        done = at.house.call("POST", f"{at.url}/sync", headers=JSON)
        failed = at.disk.failed
        page, shown = at.shown()
    assert page == 200, which
    assert done.status_code in (200, 503), f"{which}: {done.status_code} {done.text}"
    found = at.state()
    if done.status_code == 503:
        assert code_of(done) == "storage_failed", f"{which}: {done.text}"
        assert (found, shown) == (old, shown_before), which
    else:
        assert done.json()["run"]["status"] == "succeeded", f"{which}: {done.text}"
        assert found == new, which
    at.sync()
    assert at.state() == new, f"{which}: the next sync is not whole"
    assert found[0].twice == (), which
    at.sides.turn()
    return f"{done.status_code}" if failed else "not reached"


def tried(at: Stand, wanted: int) -> Counter[str]:
    """Syncs that fail at so many of their writes, in every way."""
    at.learn()
    count = counted(at.disk, at.sync)
    at.sides.turn()
    results: Counter[str] = Counter({"writes": count})
    for number, error, mode in schedules(count, wanted):
        results[fail_a_sync(at, number, error, mode)] += 1
    assert is_whole(at.file)
    return results


def test_a_write_of_a_sync_fails(disk, effort, figure):
    with stand(disk, KIDS) as at:
        results = tried(at, effort(ci=7, full=MOST))
    assert results["503"] and results["200"], results
    figure("a write of a sync fails (7 positions)", dict(results))


def test_a_write_of_a_large_sync_fails(disk, effort, figure):
    with stand(disk, MAIN) as at:
        results = tried(at, effort(ci=2, full=MOST))
    assert results["503"], results
    figure("a write of a sync fails (230 positions)", dict(results))
