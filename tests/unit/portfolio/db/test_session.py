"""What a database error means to people."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import OperationalError

from portfolio.db.session import storage_error
from portfolio.errors import StorageBusy, StorageFailed


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("database is locked", StorageBusy),
        ("database table is LOCKED", StorageBusy),
        ("deadlock detected", StorageBusy),
        ("disk I/O error", StorageFailed),
        ("server closed the connection unexpectedly", StorageFailed),
    ],
)
def test_only_another_writer_is_waited_for(text, kind):
    assert type(storage_error(OperationalError("", None, Exception(text)))) is kind
