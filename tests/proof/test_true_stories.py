"""What truly happens to accounts ends in the right holdings within two runs, without a hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine

from brokers.ibkr.simulator.data import Account, Cash, Held
from brokers.ibkr.simulator.reply import Reply
from tests.integration.conftest import MAIN, Desk, make_desk
from tests.proof.truth import Truth, look, rows

KIDS = "U7654321"
CENT = Decimal("0.01")
HALF_AN_HOUR = 1800
DAY = 86_400
ROWS = 28


@dataclass
class Story:
    """An account and its owner's year; `rng` decides the amounts."""

    desk: Desk
    rng: Random

    @property
    def main(self) -> Account:
        """The account that the story is about."""
        return self.desk.simulator.state.accounts[MAIN]

    @property
    def kids(self) -> Account:
        """The other linked account."""
        return self.desk.simulator.state.accounts[KIDS]

    def pick(self, asset: str = "STK") -> Held:
        """Any position of a class that is held long."""
        return self.rng.choice(
            [of for of in self.main.held if of.asset == asset and of.quantity > 0]
        )

    def pay(self, amount: Decimal, currency: str = "USD") -> None:
        """Money comes in, or goes out."""
        self.main.cash.setdefault(currency, Cash(balance=Decimal(0))).balance += amount

    def close(self, row: Held, price: Decimal | None = None) -> None:
        """A position is closed at its price; the broker may list it with 0 for the day."""
        paid = row.price if price is None else price
        if row.asset != "FUT":
            self.pay(row.quantity * paid * row.multiplier, row.currency)
        self.book_out(row)

    def book_out(self, row: Held) -> None:
        """A position leaves without money."""
        row.quantity = Decimal(0)
        if self.rng.random() < 0.5:
            self.main.held.remove(row)

    def buy(self, row: Held, quantity: Decimal) -> None:
        """More of a position, or a new one, at its price."""
        self.pay(-quantity * row.price * row.multiplier, row.currency)
        if row not in self.main.held:
            self.main.held.insert(self.rng.randrange(len(self.main.held) + 1), row)
            row.quantity = Decimal(0)
        row.quantity += quantity

    def like(self, row: Held, **changes: Any) -> Held:
        """Another contract that looks the same but for this."""
        return replace(row, conid=self.rng.randrange(10**8, 10**9), **changes)

    def some(self, most: int = 900) -> Decimal:
        """A number of pieces."""
        return Decimal(self.rng.randint(1, most))


Told = Callable[[Story], Iterator[None]]
STORIES: dict[str, Told] = {}


def story(tell: Told) -> Told:
    """A story; each `yield` is a moment at which the schedule may read the account."""
    STORIES[tell.__name__.replace("_", " ")] = tell
    return tell


@story
def liquidated_at_once(of: Story) -> Iterator[None]:
    for row in list(of.main.held):
        of.close(row)
    yield


@story
def liquidated_in_steps(of: Story) -> Iterator[None]:
    left = list(of.main.held)
    of.rng.shuffle(left)
    while left:
        for row in left[: of.rng.randint(3, 12)]:
            of.close(row)
            left.remove(row)
        yield


@story
def half_of_everything_sold(of: Story) -> Iterator[None]:
    for row in of.main.held:
        sold = (row.quantity * Decimal(of.rng.randint(51, 90)) / 100).quantize(Decimal(1))
        if row.asset != "FUT":
            of.pay(sold * row.price * row.multiplier, row.currency)
            row.quantity -= sold
    yield


@story
def split(of: Story) -> Iterator[None]:
    row, ratio = of.pick(), Decimal(of.rng.choice([2, 3, 4, 10, 20]))
    row.quantity, row.price = row.quantity * ratio, row.price / ratio
    yield
    row.average /= ratio
    yield


@story
def split_booked_in_two_steps(of: Story) -> Iterator[None]:
    row, ratio = of.pick(), Decimal(of.rng.choice([2, 4, 10]))
    place, quantity = of.main.held.index(row), row.quantity
    of.main.held.remove(row)
    yield
    row.quantity, row.price, row.average = quantity * ratio, row.price / ratio, row.average / ratio
    of.main.held.insert(place, row)
    yield


@story
def reverse_split_into_another_contract(of: Story) -> Iterator[None]:
    row, ratio = of.pick(), Decimal(of.rng.choice([5, 10, 20]))
    whole = row.quantity // ratio
    new = of.like(row, quantity=whole, price=row.price * ratio, average=row.average * ratio)
    of.pay((row.quantity - whole * ratio) * row.price, row.currency)
    of.book_out(row)
    if whole:
        of.main.held.append(new)
    yield


@story
def spin_off(of: Story) -> Iterator[None]:
    row = of.pick()
    part = row.price / 5
    row.price -= part
    new = of.like(row, ticker="SPUN", name="SPUN OFF INC", description="SPUN", price=part)
    of.main.held.append(replace(new, average=row.average / 5))
    yield
    row.average = row.average * 4 / 5
    yield


@story
def merger_into_cash(of: Story) -> Iterator[None]:
    row = of.pick()
    of.close(row, row.price * Decimal("1.2"))
    yield


@story
def merger_into_shares(of: Story) -> Iterator[None]:
    row = of.pick()
    of.book_out(row)
    yield
    merged = of.like(row, ticker="MERGED", name="MERGED INC", description="MERGED")
    of.main.held.append(replace(merged, quantity=of.some(), average=row.average))
    yield


@story
def symbol_change(of: Story) -> Iterator[None]:
    row = of.pick()
    row.ticker, row.description = f"{row.ticker[:3]}X", f"{row.ticker[:3]}X"
    yield


@story
def contract_change(of: Story) -> Iterator[None]:
    row = of.pick()
    new = of.like(row)
    of.book_out(row)
    if of.rng.random() < 0.5:
        yield
    of.main.held.append(new)
    yield


@story
def option_expires(of: Story) -> Iterator[None]:
    row = next(of_ for of_ in of.main.held if of_.asset == "OPT" and of_.quantity > 0)
    row.price = Decimal(0)
    yield
    of.desk.turn(DAY * of.rng.randint(119, 125))
    of.desk.simulator.sign_in()
    of.book_out(row)
    yield


@story
def assignment_over_a_weekend(of: Story) -> Iterator[None]:
    row = next(of_ for of_ in of.main.held if of_.asset == "OPT" and of_.quantity < 0)
    shares, sold = of.main.find("NVDA"), -row.quantity * row.multiplier
    of.book_out(row)
    yield
    of.desk.turn(DAY * 2)
    of.desk.simulator.sign_in()
    of.pay(sold * Decimal(row.strike or 0))
    shares.quantity -= sold
    if not shares.quantity:
        of.book_out(shares)
    yield


@story
def futures_roll(of: Story) -> Iterator[None]:
    row = next(of_ for of_ in of.main.held if of_.asset == "FUT")
    new = of.like(row, expiry="20270319", description="ES       MAR2027")
    of.pay((row.quantity * Decimal(of.rng.randint(-900, 900))).quantize(CENT))
    of.book_out(row)
    if of.rng.random() < 0.5:
        yield
    of.main.held.append(new)
    yield


@story
def currency_conversion(of: Story) -> Iterator[None]:
    balance = of.main.cash["CHF"].balance
    of.pay(-balance, "CHF")
    of.pay((balance * Decimal("1.1317")).quantize(CENT))
    if not any(row.currency == "CHF" for row in of.main.held):
        del of.main.cash["CHF"]
    yield


@story
def margin_loan(of: Story) -> Iterator[None]:
    of.buy(of.pick(), of.some(3000))
    yield


@story
def transfer_to_the_other_linked_account(of: Story) -> Iterator[None]:
    row = of.rng.choice([of_ for of_ in of.main.held if of_.currency in of.kids.cash])
    moved = replace(row)
    of.book_out(row)
    if of.rng.random() < 0.5:
        yield
    of.kids.held.append(moved)
    yield


@story
def treasury_bill_matures(of: Story) -> Iterator[None]:
    face = Decimal(of.rng.randint(1, 90) * 1000)
    bill = of.like(
        of.main.held[0],
        ticker="B 0 11/24/26",
        name="UNITED STATES TREASURY BILL",
        asset="BILL",
        type="",
        currency="USD",
        price=Decimal("99.9"),
        average=Decimal("98.1"),
        multiplier=CENT,
        expiry="20261124",
        description="B 0 11/24/26",
    )
    of.buy(bill, face)
    yield
    of.desk.turn(DAY * 6)
    of.desk.simulator.sign_in()
    of.close(bill, Decimal(100))
    yield


@story
def account_closed_at_the_broker(of: Story) -> Iterator[None]:
    for row in list(of.main.held):
        of.close(row)
    yield
    of.main.cash = {"USD": Cash(balance=Decimal(0))}
    closed(of)
    yield


def closed(of: Story) -> None:
    """The list says that the account is closed."""

    def change(path: str, reply: Reply) -> Reply:
        if "/portfolio/accounts" not in path or reply.status != 200:
            return reply
        return reply._replace(body=[{**row, "clearingStatus": "C"} for row in reply.body])

    of.desk.simulator.state.rewrites.append(change)


@story
def cash_only(of: Story) -> Iterator[None]:
    for row in list(of.main.held):
        of.close(row)
    yield
    for currency in ("USD", "EUR", "GBP"):
        of.pay(of.some(90_000), currency)
    yield


@story
def a_single_future(of: Story) -> Iterator[None]:
    for row in list(of.main.held):
        if row.asset != "FUT":
            of.close(row)
    yield


@story
def model_portfolios(of: Story) -> Iterator[None]:
    row, share = of.pick(), Decimal(of.rng.randint(1, 99)) / 100
    under_two_models(of, row.conid, share)
    yield
    of.buy(row, of.some())
    yield


def under_two_models(of: Story, conid: int, share: Decimal) -> None:
    """A position is listed once a model, each with its part."""
    figures = ("position", "mktValue", "unrealizedPnl", "marketValue")

    def parts(row: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {**row, "model": model, **{name: row[name] * part for name in figures if name in row}}
            for model, part in (("", share), ("Growth", 1 - share))
        ]

    def change(path: str, reply: Reply) -> Reply:
        if "/positions" not in path or not isinstance(reply.body, list):
            return reply
        body = [
            each
            for row in reply.body
            for each in (parts(row) if str(row["conid"]) == str(conid) else [row])
        ]
        return reply._replace(body=body)

    of.desk.simulator.state.rewrites.append(change)


@story
def trading_during_the_read(of: Story) -> Iterator[None]:
    row, left = of.pick(), [of.rng.randint(1, 3)]

    def trade(path: str, reply: Reply) -> Reply:
        if "/ledger" in path and left and left[0] > 0:
            left[0] -= 1
            of.buy(row, Decimal(of.rng.randint(1, 50)))
        return reply

    of.desk.simulator.state.rewrites.append(trade)
    yield
    left.clear()
    yield


@story
def a_dividend_is_paid(of: Story) -> Iterator[None]:
    books = of.main.cash["USD"]
    of.pay(books.dividends)
    books.dividends = Decimal(0)
    yield


@story
def a_short_is_covered_and_turned(of: Story) -> Iterator[None]:
    row = of.main.find("NVO")
    of.buy(row, -row.quantity + of.some())
    yield


@story
def everything_exchanged(of: Story) -> Iterator[None]:
    for row in list(of.main.held):
        of.close(row)
    for number in range(of.rng.randint(5, 40)):
        of.buy(of.like(NEW, ticker=f"N{number}", description=f"N{number}"), of.some())
    yield


@story
def emptied_and_begun_anew(of: Story) -> Iterator[None]:
    for row in list(of.main.held):
        of.close(row)
    yield
    yield
    for number in range(of.rng.randint(1, 5)):
        of.buy(of.like(NEW, ticker=f"N{number}", description=f"N{number}"), of.some())
    yield


NEW = Held(
    conid=1,
    ticker="N",
    name="NEW INC",
    asset="STK",
    currency="USD",
    quantity=Decimal(0),
    price=Decimal("31.5"),
    average=Decimal("30.25"),
)


def expected(account: Account) -> list[tuple[str, str, str]]:
    """What the broker holds: contracts with quantity and average, and cash."""
    held: dict[str, Decimal] = defaultdict(Decimal)
    for row in account.held:
        held[str(row.conid)] += row.quantity
    average = {str(row.conid): row.average for row in account.held}
    found = [(of, plain(q), plain(average[of])) for of, q in held.items() if q]
    return sorted([*found, *((c, plain(b.balance), "") for c, b in account.cash.items())])


def plain(value: Decimal) -> str:
    """A number with as many digits as are kept."""
    return f"{round(value, 10):f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def stored(truth: Truth, account_id: str) -> list[tuple[str, str, str]]:
    """What the program holds of a broker's account, in the same words."""
    found = []
    for row in truth.brokers:
        if row[2] == account_id:
            cash = len(row) == 5
            figures = (row[4], "") if cash else (row[8], row[9])
            found.append((row[3] if cash else row[4], *map(rounded, figures)))
    return sorted(found)


def rounded(text: str) -> str:
    """Averages of endless digits are kept to twelve."""
    return plain(Decimal(text)) if text not in ("", "—") else text


def prepared(desk: Desk) -> dict[str, str]:
    """Both accounts are connected and synced, and each fifth holding has a note."""
    del desk.simulator.state.accounts[MAIN].held[ROWS:]
    kept = [row for row in desk.simulator.state.accounts[MAIN].held if row.asset == "STK"]
    assert len(kept) > 20
    derivatives = desk.simulator.state.accounts[MAIN].held[25:28]
    assert [row.asset for row in derivatives] == ["OPT", "OPT", "FUT"]
    urls = {}
    for name, account_id in (("A", MAIN), ("B", KIDS)):
        urls[account_id] = desk.account(name)
        desk.turn()
        assert desk.connect(urls[account_id], account_id=account_id).status_code == 201
        assert desk.sync(urls[account_id]).json["run"]["status"] == "succeeded"
    for number in range(1, ROWS, 5):
        path = f"/api/v1/portfolios/1/accounts/A/holdings/{number}"
        assert desk.program.patch(path, json={"notes": f"note {number}"}).status_code == 200
    return urls


def attention(file: Path) -> list[tuple[str, ...]]:
    """The accounts that wait for a person."""
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        found = rows(
            connection,
            "SELECT name, attention_code FROM account WHERE attention_code IS NOT NULL",
        )
    engine.dispose()
    return found


def play(desk: Desk, file: Path, told: Told, rng: Random) -> int:
    """Tell a story while the schedule reads; how many runs its end took to be known."""
    urls = prepared(desk)
    before = look(f"sqlite:///{file}").written
    of = Story(desk=desk, rng=rng)
    runs: list[dict[str, Any]] = []
    moments = told(of)
    for _ in moments:
        for url in urls.values():
            desk.turn(HALF_AN_HOUR)
            runs.append(run_of(desk, url))
    needed = 1
    while needed < 2 and not is_known(desk, file):
        needed += 1
        for url in urls.values():
            desk.turn(rng.uniform(1, 2) * HALF_AN_HOUR)
            runs.append(run_of(desk, url))
    truth = look(f"sqlite:///{file}")
    for account_id in urls:
        account = desk.simulator.state.accounts[account_id]
        assert stored(truth, account_id) == expected(account), runs[-4:]
    assert truth.written == before
    assert truth.twice == ()
    assert attention(file) == []
    assert {run["status"] for run in runs[-2:]} == {"succeeded"}
    assert {run["reconciliation"]["status"] for run in runs[-2:]} == {"agrees"}
    return needed


def run_of(desk: Desk, url: str) -> dict[str, Any]:
    """One run, whatever became of it."""
    answer = desk.sync(url).json
    return answer.get("run") or answer["error"]


def is_known(desk: Desk, file: Path) -> bool:
    """Whether all that is true is stored."""
    truth = look(f"sqlite:///{file}")
    accounts = desk.simulator.state.accounts
    return attention(file) == [] and all(
        stored(truth, of) == expected(account) for of, account in accounts.items()
    )


@pytest.mark.parametrize("name", list(STORIES))
def test_the_truth_goes_through(name, tmp_path, draw, effort, figure):
    most = 0
    for number in range(effort(ci=1, full=50)):
        folder = tmp_path / str(number)
        environ = {"FOLIOSYNC_DATA_DIR": str(folder), "FOLIOSYNC_TIMEZONE": "UTC"}
        for desk in make_desk(environ):
            try:
                needed = play(desk, folder / "foliosync.db", STORIES[name], draw(name, number))
            except AssertionError as failure:
                raise AssertionError(f"{name}, variation {number}: {failure}") from failure
            most = max(most, needed)
    figure(f"true story: {name}", f"known after {most} of 2 runs")


def test_there_are_twenty_stories():
    assert len(STORIES) >= 20
