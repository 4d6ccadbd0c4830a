"""The closed list: all that can ever be asked of a gateway. None of it can trade.

Reading is not the same as GET: tickle and invalidate are POST and change nothing of an account,
while some GETs of the vendor do. What is not here raises `Refused` before a socket is opened.
"""

from __future__ import annotations

import re

from brokers.http import Endpoint

ACCOUNT = re.compile(r"[A-Z]{1,3}[0-9]{4,12}")
PAGE = re.compile(r"[0-9]|[1-9][0-9]|1[0-9][0-9]")

BASE = "/v1/api"

ROOT = Endpoint(method="GET", template="/", parameters={})
TICKLE = Endpoint(method="POST", template="/tickle", parameters={})
VALIDATE = Endpoint(method="GET", template="/sso/validate", parameters={})
ACCOUNTS = Endpoint(method="GET", template="/portfolio/accounts", parameters={})
POSITIONS = Endpoint(
    method="GET",
    template="/portfolio/{account}/positions/{page}",
    parameters={"account": ACCOUNT, "page": PAGE},
)
LEDGER = Endpoint(
    method="GET", template="/portfolio/{account}/ledger", parameters={"account": ACCOUNT}
)
SUMMARY = Endpoint(
    method="GET", template="/portfolio/{account}/summary", parameters={"account": ACCOUNT}
)
INVALIDATE = Endpoint(
    method="POST",
    template="/portfolio/{account}/positions/invalidate",
    parameters={"account": ACCOUNT},
)
POSITIONS_2 = Endpoint(
    method="GET", template="/portfolio2/{account}/positions", parameters={"account": ACCOUNT}
)
CONTRACTS = Endpoint(method="GET", template="/trsrv/secdef", parameters={})

ALL = (
    ROOT,
    TICKLE,
    VALIDATE,
    ACCOUNTS,
    POSITIONS,
    LEDGER,
    SUMMARY,
    INVALIDATE,
    POSITIONS_2,
    CONTRACTS,
)
