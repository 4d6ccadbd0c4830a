"""A sync as programs are first written: page by page, each row got or created by the ORM."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import ForeignKey, Numeric, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from benchmarks.shortest import Gateway


class Base(DeclarativeBase):
    """Its own tables."""


class Instrument(Base):
    """What can be held."""

    __tablename__ = "instrument"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    symbol: Mapped[str]
    name: Mapped[str | None]
    kind: Mapped[str]
    currency: Mapped[str | None]


class Holding(Base):
    """What is held."""

    __tablename__ = "holding"

    id: Mapped[int] = mapped_column(primary_key=True)
    instrument_id: Mapped[int] = mapped_column(ForeignKey("instrument.id"), unique=True)
    quantity: Mapped[Decimal] = mapped_column(Numeric(20, 6, asdecimal=False))
    average_price: Mapped[Decimal | None] = mapped_column(Numeric(20, 6, asdecimal=False))
    price: Mapped[Decimal | None] = mapped_column(Numeric(20, 6, asdecimal=False))
    market_value: Mapped[Decimal | None] = mapped_column(Numeric(20, 6, asdecimal=False))

    instrument: Mapped[Instrument] = relationship()


def sync(gateway: Gateway, account: str, file: Path) -> None:
    """Read and store; a page is a transaction."""
    engine = create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    for page in gateway.pages(account):
        with Session(engine) as session:
            for row in json.loads(page):
                _store(session, row)
            session.commit()
    engine.dispose()


def _store(session: Session, row: dict[str, Any]) -> None:
    key = str(row["conid"])
    instrument = session.scalar(select(Instrument).where(Instrument.key == key))
    if instrument is None:
        instrument = Instrument(key=key)
        session.add(instrument)
    instrument.symbol, instrument.name = str(row["contractDesc"]), row.get("name")
    instrument.kind, instrument.currency = str(row["assetClass"]), row.get("currency")
    session.flush()
    holding = session.scalar(select(Holding).where(Holding.instrument_id == instrument.id))
    if holding is None:
        holding = Holding(instrument=instrument)
        session.add(holding)
    holding.quantity, holding.average_price = row["position"], row.get("avgPrice")
    holding.price, holding.market_value = row.get("mktPrice"), row.get("mktValue")
