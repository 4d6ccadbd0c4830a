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
LEASES = "tests/integration/test_leases.py::"
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
    19: (LEASES + "test_a_run_waits_for_another_one_through_the_same_gateway",),
    20: (LEASES + "test_a_run_that_lost_its_connection_writes_nothing",),
    21: (BACKUP + "test_an_upgrade_that_is_cut_short_can_be_run_again",),
    22: (BACKUP + "test_a_copy_comes_back_and_the_former_state_is_kept",),
    23: (BACKUP + "test_what_is_no_whole_copy_is_refused_with_a_reason",),
    24: (LEASES + "test_who_finds_a_gateway_taken_waits_and_then_says_so",),
    25: (JOBS + "test_it_is_the_same_on_both_databases",),
    26: (FAULTS, JOBS + "test_a_clock_jump_neither_floods_nor_stalls"),
    27: (JOBS + "test_a_gateway_that_comes_back_is_caught_up_with",),
    28: (FAULTS, WIRE),
    29: (FAULTS, "tests/integration/test_notifications.py::test_a_lost_sign_in_is_told_once"),
    30: (JOBS + "test_an_error_of_one_does_not_stop_the_other",),
    31: (BACKUP + "test_an_upgrade_that_is_cut_short_can_be_run_again",),
    32: (BACKUP + "test_what_is_no_whole_copy_is_refused_with_a_reason",),
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
