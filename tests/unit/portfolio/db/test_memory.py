from __future__ import annotations

from portfolio.db.memory import Memory


def test_what_is_kept_is_found_again():
    memory = Memory(10)
    assert memory.recall("a") is None
    memory.keep("a", "one")
    memory.keep("a", "two", size=3)
    assert memory.recall("a") == "two"


def test_what_was_not_used_for_longest_makes_room():
    memory = Memory(10)
    memory.keep("a", 1, size=4)
    memory.keep("b", 2, size=4)
    assert memory.recall("a") == 1
    memory.keep("c", 3, size=4)
    assert [memory.recall(key) for key in "abc"] == [1, None, 3]
    memory.keep("d", 4, size=10)
    assert [memory.recall(key) for key in "acd"] == [None, None, 4]


def test_what_is_larger_than_the_room_is_not_kept():
    memory = Memory(10)
    memory.keep("a", 1, size=4)
    memory.keep("b", 2, size=11)
    assert [memory.recall(key) for key in "ab"] == [1, None]
    # Nor is what had its name before.
    memory.keep("a", 3, size=11)
    assert memory.recall("a") is None
    memory.keep("c", 4, size=10)
    assert memory.recall("c") == 4
