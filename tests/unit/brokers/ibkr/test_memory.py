"""What reading a large account takes and leaves, in bytes for each contract; never in seconds."""

import gc
import tracemalloc

from brokers.ibkr import InteractiveBrokers
from tests.unit.brokers.ibkr.test_two_lists import LARGE, Desk

FEW, MANY = 400, 1_200
# A snapshot alone has 900. Raw pages would take 1,600 more, and raw terms leave 2,200.
MOST, KEPT = 2_000, 800


def repeated(desk):
    """Answer as before without the simulator, so that only the reader's memory is counted."""
    app, known = desk.network.app, {}

    def answered(environ, start_response):
        of = environ["PATH_INFO"], environ["QUERY_STRING"]
        if of not in known:
            heads = []
            body = b"".join(app(environ, lambda *head: heads.append(head)))
            known[of] = heads[0], body
        head, body = known[of]
        start_response(*head)
        return [body]

    desk.network.app = answered


def measured(size):
    """Bytes that a read takes at most, and those that it leaves for the next one.

    It is the first one: rows are lean, their terms are asked for, and the lists are compared.
    """
    desk = Desk(size)
    repeated(desk)
    desk.connect().snapshot(LARGE)
    desk.broker = InteractiveBrokers()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        snapshot = desk.connect().snapshot(LARGE)
        most = tracemalloc.get_traced_memory()[1] - before
        assert len(snapshot.positions) == size
        del snapshot
        gc.collect()
        return most, tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def test_a_read_takes_and_leaves_little_for_each_contract():
    pairs = zip(measured(FEW), measured(MANY), strict=True)
    most, kept = ((many - few) / (MANY - FEW) for few, many in pairs)
    assert most < MOST
    assert kept < KEPT
