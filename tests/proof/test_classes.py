"""Every class of faults is proven somewhere, or it is said why not.

The classes R1 to R38 are those of the project's fault table: what can go wrong between a broker,
this program, its database and the people who run it.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.proof.troubles import TROUBLES

ROOT = Path(__file__).parent.parent.parent
FAULTS = "tests/proof/test_faults.py::test_old_or_new_and_never_another"
WIRE = "tests/proof/test_wire.py::test_old_or_new_on_the_wire"
REPEATS = "tests/proof/test_repeats.py::"
BACKUP = "tests/integration/test_backup.py::"
JOBS = "tests/integration/test_jobs.py::"
KILL = "tests/proof/test_kill.py::"
STORAGE = "tests/proof/test_storage.py::"
POSTGRES = "tests/proof/test_storage_postgres.py::"
SOAK = "tests/proof/test_soak.py::test_what_can_be_kept_without_a_person_is_kept"
# Where each class is proven; one that does not apply has its reason instead.
PROVEN: dict[int, tuple[str, ...]] = {
    1: (FAULTS, WIRE),
    2: (WIRE,),
    3: (WIRE, "tests/integration/test_leases.py::test_a_run_that_takes_too_long_ends_and_heals"),
    4: (WIRE,),
    5: (FAULTS,),
    6: (FAULTS,),
    7: (FAULTS,),
    8: (FAULTS,),
    9: (FAULTS, JOBS + "test_a_penalty_is_silence"),
    10: (FAULTS, JOBS + "test_maintenance_is_waited_for"),
    11: (FAULTS,),
    12: (FAULTS,),
    13: (FAULTS,),
    14: (FAULTS,),
    15: (FAULTS,),
    16: (FAULTS,),
    17: (FAULTS,),
    18: (FAULTS,),
    19: ("tests/proof/test_concurrency.py::test_64_at_once_and_the_schedule_make_one_run",),
    20: ("tests/proof/test_concurrency.py::test_a_process_stopped_past_its_lease_writes_nothing",),
    21: (KILL + "test_a_killed_sync_is_all_or_nothing",),
    22: ("tests/integration/db/test_schema.py::test_what_is_acknowledged_is_on_the_disk",),
    23: (STORAGE + "test_a_write_of_a_sync_fails", STORAGE + "test_a_write_of_an_import_fails"),
    24: (STORAGE + "test_a_database_is_locked_for_ten_seconds",),
    25: (
        POSTGRES + "test_a_connection_is_lost_during_commit",
        POSTGRES + "test_the_server_is_restarted_in_the_middle",
    ),
    26: (FAULTS, JOBS + "test_a_clock_jump_neither_floods_nor_stalls"),
    27: (SOAK, JOBS + "test_a_gateway_that_comes_back_is_caught_up_with"),
    28: (FAULTS, WIRE),
    29: (FAULTS, "tests/integration/test_notifications.py::test_a_lost_sign_in_is_told_once"),
    30: ("tests/unit/portfolio/jobs/test_embedded.py::test_an_error_in_a_task_does_not",),
    31: (
        "tests/proof/test_kill_files.py::test_a_killed_upgrade_can_be_run_again",
        STORAGE + "test_a_write_of_an_upgrade_fails",
    ),
    32: (
        BACKUP + "test_what_is_no_whole_copy_is_refused_with_a_reason",
        "tests/proof/test_kill_files.py::test_a_killed_restore_leaves_the_old_or_the_restored",
    ),
    33: ("tests/integration/test_cli.py::test_a_damaged_database_is_refused_in_one_sentence",),
    34: (BACKUP + "test_a_lost_database_is_never_taken_for_a_fresh_one",),
    35: (REPEATS + "test_r35_ten_thousand_positions_are_old_or_new_too",),
    37: (REPEATS + "test_r37_a_file_in_any_spelling_is_all_or_nothing_and_twice_is_once",),
    38: (REPEATS + "test_r38_who_asks_again_finds_the_run_under_way_and_then_the_finished_state",),
}
NOT_YET = {36: "Flex statements are no way to read an account yet."}


def test_every_class_has_its_proof_or_its_reason():
    assert sorted([*PROVEN, *NOT_YET]) == list(range(1, 39))
    for places in PROVEN.values():
        for place in places:
            file, name = place.split("::")
            text = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(rf"^def {name}", text, re.MULTILINE), place


def test_what_is_said_to_be_proven_by_random_faults_is_drawn_there():
    drawn = {int(of.number[1:]) for of in TROUBLES.values()}
    assert drawn == {number for number, places in PROVEN.items() if FAULTS in places}
