"""The tests' own look at the database sees what the program says, and sees what is wrong."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from tests.proof.house import served
from tests.proof.truth import look


def test_a_look_sees_what_the_program_shows(tmp_path, gateway, database_url):
    with served(tmp_path / "d", gateway.server.url, FOLIOSYNC_DATABASE_URL=database_url) as house:
        url = house.linked()
        before = look(database_url)
        assert house.call("POST", f"{url}/sync").json()["run"]["status"] == "succeeded"
        after = look(database_url)
    assert before.brokers == ()
    assert len(after.brokers) == 235
    assert (after.by_hand, after.written, after.twice) == ((), (), ())
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE holding SET quantity = '1', notes = 'x' WHERE id = 1"))
    engine.dispose()
    torn = look(database_url)
    assert torn.brokers != after.brokers
    assert len(torn.written) == 1
