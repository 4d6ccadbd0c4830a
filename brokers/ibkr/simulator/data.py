"""Two invented accounts: deterministic, exact, and adding up to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import islice

RATES = {
    "USD": {"USD": "1", "EUR": "1.0842", "CHF": "1.1317", "GBP": "1.2635", "JPY": "0.006482"},
    "EUR": {"EUR": "1", "USD": "0.92234"},
}


@dataclass(slots=True, kw_only=True)
class Held:
    """One position as the simulated broker keeps it."""

    conid: int
    ticker: str
    name: str
    asset: str
    currency: str
    quantity: Decimal
    price: Decimal
    average: Decimal
    multiplier: Decimal = Decimal(1)
    type: str = "COMMON"
    expiry: str | None = None
    strike: str | None = None
    right: str | None = None
    underlying: int = 0
    description: str = ""
    model: str = ""

    @property
    def value(self) -> Decimal:
        """The market value; of a future the notional."""
        return self.quantity * self.price * self.multiplier

    @property
    def profit(self) -> Decimal:
        """The unrealised profit."""
        return self.quantity * (self.price - self.average) * self.multiplier


@dataclass(slots=True, kw_only=True)
class Cash:
    """The books in one currency beside the positions.

    `futures_profit` is that of futures, where it is not in the balance already.
    """

    balance: Decimal
    interest: Decimal = Decimal(0)
    dividends: Decimal = Decimal(0)
    futures_profit: Decimal = Decimal(0)


@dataclass(slots=True, kw_only=True)
class Account:
    """One simulated account."""

    id: str
    title: str
    base: str
    type: str
    held: list[Held] = field(default_factory=list)
    cash: dict[str, Cash] = field(default_factory=dict)

    def find(self, symbol: str) -> Held:
        """The first position of this ticker; `KeyError` where there is none."""
        for row in self.held:
            if row.ticker == symbol:
                return row
        raise KeyError(symbol)


# ticker, name, kind, currency, quantity, price, average
SHARES = """
SPY|SPDR S&amp;P 500 ETF TRUST|ETF|USD|440|656.25|596.3936
VWCE|VANGUARD FTSE ALL-WORLD ACC|ETF|EUR|1250.5|142.08|126.3655
NVDA|NVIDIA CORP|COMMON|USD|400|178.4|145.25725
QQQ|INVESCO QQQ TRUST SERIES 1|ETF|USD|85|588.31|501.7722
IEMG|ISHARES CORE MSCI EMERGING|ETF|USD|310.75|66.94|58.1204
AAPL|APPLE INC|COMMON|USD|150|271.49|189.9814
MSFT|MICROSOFT CORP|COMMON|USD|60|472.12|398.5531
BRK B|BERKSHIRE HATHAWAY INC-CL B|COMMON|USD|35|504.04|421.1185
JNJ|JOHNSON &amp; JOHNSON|COMMON|USD|42.3187|203.9|158.7703
PG|PROCTER &amp; GAMBLE CO/THE|COMMON|USD|55|150.68|161.9927
T|AT&amp;T INC|COMMON|USD|400|25.74|22.3391
TSM|TAIWAN SEMICONDUCTOR-SP ADR|ADR|USD|75|275.06|182.4407
NVO|NOVO-NORDISK A/S-SPONS ADR|ADR|USD|-120|47.46|71.8802
ASML|ASML HOLDING NV|COMMON|EUR|12|842.7|688.2145
SAP|SAP SE|COMMON|EUR|48|204.05|172.6618
MC|LVMH MOET HENNESSY LOUIS VUI|COMMON|EUR|9|617.4|702.1133
SIE|SIEMENS AG-REG|COMMON|EUR|40|222.85|171.5094
NESN|NESTLE SA-REG|COMMON|CHF|130|79.92|95.3371
ROG|ROCHE HOLDING AG-GENUSSCHEIN|COMMON|CHF|28|300.6|261.4488
NOVN|NOVARTIS AG-REG|COMMON|CHF|64|102.88|89.6614
SHEL|SHELL PLC|COMMON|GBP|350|27.755|24.1108
AZN|ASTRAZENECA PLC|COMMON|GBP|44|135.62|112.9905
ULVR|UNILEVER PLC|COMMON|GBP|120|45.11|42.8836
7203|TOYOTA MOTOR CORP|COMMON|JPY|300|3131|2640.55
6758|SONY GROUP CORP|COMMON|JPY|200|4489|3125.7
""".strip()

MORE = (
    "ABBV ABT ACN ADBE ADI ADP AEP AFL AIG ALL AMAT AMD AMGN AMT AMZN ANET AON APD APH AVGO "
    "AXP AZO BA BAC BDX BK BKNG BLK BMY BSX BX C CARR CAT CB CCI CDNS CEG CI CL CMCSA CME CMG "
    "COF COP COST CPRT CRM CRWD CSCO CSX CTAS CVS CVX D DD DE DELL DHI DHR DIS DLR DUK EA ECL "
    "ELV EMR EOG EQIX ETN EW EXC F FCX FDX FI FTNT GD GE GEHC GILD GIS GM GOOG GOOGL GS GWW "
    "HCA HD HON HUM HWM IBM ICE IDXX INTC INTU ISRG ITW JCI JPM KDP KLAC KMB KMI KO KR LEN "
    "LIN LLY LMT LOW LRCX LULU MA MAR MCD MCHP MCK MCO MDLZ MDT MET META MMC MMM MNST MO MPC "
    "MRK MRVL MS MSI MU NEE NEM NFLX NKE NOC NOW NSC NUE NXPI O ODFL OKE ORCL ORLY OXY PANW "
    "PAYX PCAR PCG PEP PFE PGR PH PLD PLTR PM PNC PSA PSX PYPL QCOM REGN RMD ROP ROST RSG RTX "
    "SBUX SCHW SHW SLB SNPS SO SPG SPGI SRE STZ SYK SYY TEL TDG TFC TGT TJX TMO TMUS TRV TSLA "
    "TT TXN UBER UNH UNP UPS USB V VLO VMC VRTX VZ WBD WELL WFC WM WMB WMT XEL XOM YUM ZTS "
).split()


def accounts() -> dict[str, Account]:
    """The accounts in their first state."""
    main = Account(id="U1234567", title="Main", base="USD", type="INDIVIDUAL")
    main.held = [*_shares(SHARES, 756700), *_derivatives()]
    main.held += list(_filling(230 - len(main.held)))
    main.cash = {
        "USD": Cash(
            balance=Decimal("-18402.77"), interest=Decimal("-41.17"), dividends=Decimal("1104.6")
        ),
        "EUR": Cash(balance=Decimal("8120.5"), dividends=Decimal("212.08")),
        "CHF": Cash(balance=Decimal("1530.25")),
        "GBP": Cash(balance=Decimal("410.02"), interest=Decimal("0.61")),
        "JPY": Cash(balance=Decimal("-1250000")),
    }
    kids = Account(id="U7654321", title="Kids", base="EUR", type="INDIVIDUAL")
    kids.held = list(_shares(KIDS, 881200))
    kids.cash = {"EUR": Cash(balance=Decimal("642.18")), "USD": Cash(balance=Decimal("95.4"))}
    return {main.id: main, kids.id: kids}


KIDS = """
VWCE|VANGUARD FTSE ALL-WORLD ACC|ETF|EUR|88.25|142.08|118.402
EIMI|ISHARES CORE EM IMI ACC|ETF|EUR|140|38.91|33.0275
SAP|SAP SE|COMMON|EUR|6|204.05|128.9
ALV|ALLIANZ SE-REG|COMMON|EUR|5|361.2|244.615
MSFT|MICROSOFT CORP|COMMON|USD|3|472.12|301.44
DIS|WALT DISNEY CO/THE|COMMON|USD|12|104.18|96.5503
NKE|NIKE INC -CL B|COMMON|USD|7.5|62.9|98.3107
""".strip()


def _shares(table: str, first: int) -> Iterator[Held]:
    for number, line in enumerate(table.splitlines()):
        ticker, name, kind, currency, quantity, price, average = line.split("|")
        yield Held(
            conid=first + 33 + number,
            ticker=ticker,
            name=name,
            asset="STK",
            type=kind,
            currency=currency,
            quantity=Decimal(quantity),
            price=Decimal(price),
            average=Decimal(average),
            description=ticker,
        )


def _derivatives() -> list[Held]:
    call = Held(
        conid=812345001,
        ticker="NVDA",
        name="NVIDIA CORP",
        asset="OPT",
        currency="USD",
        quantity=Decimal(-4),
        price=Decimal("25.3"),
        average=Decimal("19.45"),
        multiplier=Decimal(100),
        type="",
        expiry="20270115",
        strike="200",
        right="C",
        underlying=756735,
        description="NVDA   JAN2027 200 C [NVDA  270115C00200000 100]",
    )
    put = Held(
        conid=812345002,
        ticker="SPY",
        name="SPDR S&amp;P 500 ETF TRUST",
        asset="OPT",
        currency="USD",
        quantity=Decimal(2),
        price=Decimal("18.72"),
        average=Decimal("24.0535"),
        multiplier=Decimal(100),
        type="",
        expiry="20270319",
        strike="600",
        right="P",
        underlying=756733,
        description="SPY    MAR2027 600 P [SPY   270319P00600000 100]",
    )
    future = Held(
        conid=649180695,
        ticker="ES",
        name="E-mini S&amp;P 500",
        asset="FUT",
        currency="USD",
        quantity=Decimal(-1),
        price=Decimal("6590.25"),
        average=Decimal("6614.34"),
        multiplier=Decimal(50),
        type="",
        expiry="20261218",
        underlying=11004968,
        description="ES       DEC2026",
    )
    return [call, put, future]


def _filling(count: int) -> Iterator[Held]:
    """Shares with made-up but steady quantities and prices."""
    for number, ticker in enumerate(MORE[:count]):
        price = Decimal(1900 + (number * 7919) % 43000) / 100
        drift = Decimal(80 + (number * 37) % 45) / 100
        yield Held(
            conid=900000 + number * 13,
            ticker=ticker,
            name=f"{ticker} INC",
            asset="STK",
            currency="USD",
            quantity=Decimal(1 + (number * 31) % 24),
            price=price,
            average=(price * drift).quantize(Decimal("0.0001")),
            description=ticker,
        )


# class, ticker, quantity, price, average, multiplier, expiry, strike, right
ZOO = """
BOND|T 4 1/8 2033|10000|98.7|101.2|0.01|20330815||
BILL|B 0 2027|5000|97.5|96|0.01|20270415||
FUND|VTSAX|12.345|130.01|99.5|1|||
FOP|ES|-1|40.25|38|50|20270319|6500|P
WAR|SIE W|200|1.25|1|0.1|20270618|250|C
IOPT|DAX KO|100|12.4|11|1|||
CFD|IBDE40|3|19800|19700|1|||
CRYPTO|BTC|0.12345678|91000.5|60000|1|||
CMDTY|XAUUSD|5|2650|2600|1|||
EC|FED RATE|10|0.55|0.5|1|20270127||
IND|SPX|1|6500|6400|1|||
QUANTUM|NEW|7|3|2|1|||
CASH|EUR.USD|3000|1.08|1.05|1|||
STK|GONE|0|5|4|1|||
""".strip()


def every_class() -> Account:
    """One of every kind, a virtual currency position, and a row of quantity 0."""
    found = Account(id="U5550000", title="Everything", base="USD", type="INDIVIDUAL")
    found.cash = {"USD": Cash(balance=Decimal("1000"))}
    for number, line in enumerate(ZOO.splitlines()):
        asset, ticker, quantity, price, average, multiplier, *terms = line.split("|")
        expiry, strike, right = (term or None for term in terms)
        found.held.append(
            Held(
                conid=900 + number,
                ticker=ticker,
                name=ticker,
                asset=asset,
                currency="USD",
                quantity=Decimal(quantity),
                price=Decimal(price),
                average=Decimal(average),
                multiplier=Decimal(multiplier),
                type="",
                expiry=expiry,
                strike=strike,
                right=right,
                description=ticker,
            )
        )
    return found


def large(count: int, key: str = "U9000000") -> Account:
    """An account with this many positions, over all kinds and currencies of the first one."""
    model = accounts()["U1234567"]
    rows = list(_more(model, 0, count))
    return Account(
        id=key, title="Large", base="USD", type="INDIVIDUAL", held=rows, cash=model.cash
    )


def enlarge(account: Account, count: int) -> None:
    """Fill an account up to this many positions; some of those it was filled with may be sold."""
    first, taken = len(account.held), {row.conid for row in account.held}
    more = _more(accounts()["U1234567"], first, count + len(taken))
    account.held += islice((row for row in more if row.conid not in taken), max(count - first, 0))


def _more(model: Account, first: int, count: int) -> Iterator[Held]:
    for number in range(first, count):
        yield replace(model.held[number % len(model.held)], conid=910_000_000 + number)
