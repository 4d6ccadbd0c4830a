"""Rows of the pages as holdings, in the steps that a reading takes."""

from brokers.ibkr import mapping


def held_by(rows, account, base, terms=None, known=None, now=0):
    """The holdings of rows; `terms` by contract are those that lean rows find."""
    known = {} if known is None else known
    entries = mapping.distinct(mapping.understood(row, account, base, known, now) for row in rows)
    complete = [
        each
        if each.lean is None
        else mapping.with_terms(each, (terms or {}).get(each.key, {}), base, known, now)
        for each in entries
    ]
    return mapping.positions(complete)
