"""Interactive Brokers through IBKR's Client Portal Gateway: reads holdings, is unable to trade."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from brokers.contract import Broker, Capability, Connection, Context, Limit, Manifest, Scrubber

if TYPE_CHECKING:
    from brokers.ibkr.state import GatewayState

MANIFEST = Manifest(
    key="ibkr",
    name="Interactive Brokers",
    short_name="IBKR",
    identifier_scheme="ibkr_conid",
    capabilities=frozenset(
        {
            Capability.KEEPALIVE,
            Capability.WITNESS,
            Capability.MARGIN,
            Capability.RECORDING,
        }
    ),
    # IBKR allows ten a second through a gateway; two stay free for the browser and other tools.
    limits=(
        Limit(endpoint="*", calls=8, seconds=1),
        Limit(endpoint="/portfolio/accounts", calls=1, seconds=5),
        Limit(endpoint="/tickle", calls=1, seconds=1),
        Limit(endpoint="/sso/validate", calls=1, seconds=60),
    ),
    address_hint="For example https://localhost:5001; the port is `listenPort` in the gateway’s "
    "root/conf.yaml.",
    single_session=True,
)


class InteractiveBrokers(Broker):
    """The broker; limits and caches of a gateway are shared by all connections through it."""

    manifest = MANIFEST

    def __init__(self) -> None:
        self._lock = Lock()
        self._states: dict[tuple[str, int], GatewayState] = {}

    def connect(self, context: Context) -> Connection:
        """A connection through a gateway; contacts nobody yet."""
        # Imported on first use: listing the brokers needs no HTTP library.
        from brokers.addresses import split_address
        from brokers.ibkr.adapter import GatewayConnection
        from brokers.ibkr.state import GatewayState

        with self._lock:
            state = self._states.setdefault(
                split_address(context.address), GatewayState(MANIFEST.limits, context.clock)
            )
        state.pacer.close_until(context.silent_until)
        state.pacer.recall(context.last_calls)
        return GatewayConnection(context, state)

    def scrubber(self, draw: Callable[[int], int]) -> Scrubber:
        """Takes ids, names and amounts out of a gateway's answers."""
        from brokers.ibkr.scrub import GatewayScrubber

        return GatewayScrubber(draw)
