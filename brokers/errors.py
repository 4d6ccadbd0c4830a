"""Everything that can go wrong between us and a broker.

    BrokerError
    ├── HealsByItself            try again later; nobody has to do anything
    │   ├── PositionsNotReleased   signed in, but positions cannot be read yet
    │   ├── GatewayUnreachable     nothing listens at the address
    │   ├── GatewaySilent          something listens, no answer comes in time
    │   ├── SessionStarting        signed in a moment ago
    │   ├── RateLimited            too many requests; closed until `retry_at`
    │   ├── BrokerMaintenance      the broker is down for maintenance
    │   └── BadAnswer              an answer that cannot be believed
    │       ├── Incomplete           a page is missing or came twice
    │       ├── Malformed            not the shape of data it must have
    │       └── Foreign              rows of another account
    ├── NeedsUser                a person must act
    │   ├── NotAuthenticated       nobody is signed in
    │   ├── NotAGateway            something else answers at the address
    │   ├── AddressNotAllowed      the gateway refuses this computer
    │   ├── CertificateChanged     another certificate than the one pinned
    │   ├── CertificateUntrusted   a certificate that proves nothing
    │   ├── CredentialsMissing     what the adapter needs to sign in is not there
    │   └── BrokerAccountMissing   the linked account is not in the list
    └── Refused                  a request outside the closed list; a bug in an adapter, never sent

Each class is one failure with a stable `code`; the adapter writes `message` and `remedy`.
"""

from __future__ import annotations

from datetime import datetime

from brokers.types import Certificate, SessionState


class BrokerError(Exception):
    """A failure on the way to a broker: a code, one sentence, and one remedy."""

    code = "broker_error"
    retryable = False
    needs_user = False
    usual_remedy: str | None = None

    def __init__(
        self,
        message: str,
        remedy: str | None = None,
        *,
        retry_at: datetime | None = None,
        sample: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or self.usual_remedy
        self.retry_at = retry_at
        self.sample = sample


class HealsByItself(BrokerError):
    """A failure that passes without anybody's help."""

    code = "temporary"
    retryable = True


class NeedsUser(BrokerError):
    """A failure that stays until a person acts."""

    code = "needs_user"
    needs_user = True


class Refused(BrokerError):
    """A request that is not on the closed list and was therefore never sent."""

    code = "refused"
    usual_remedy = "This is a fault of the broker's adapter: report it. Nothing was sent."


class PositionsNotReleased(HealsByItself):
    """Signed in, but the broker does not hand out positions yet."""

    code = "positions_not_released"


class GatewayUnreachable(HealsByItself):
    """Nothing listens at the gateway's address."""

    code = "gateway_unreachable"


class GatewaySilent(HealsByItself):
    """The gateway runs, but no answer came within the deadline."""

    code = "gateway_silent"


class SessionStarting(HealsByItself):
    """The session was opened moments ago and is not ready."""

    code = "session_starting"


class RateLimited(HealsByItself):
    """The broker asked for silence until `retry_at`."""

    code = "rate_limited"


class BrokerMaintenance(HealsByItself):
    """The broker's own systems are down."""

    code = "broker_maintenance"


class BadAnswer(HealsByItself):
    """An answer that cannot be believed."""

    code = "bad_answer"
    usual_remedy = "Nothing was changed. It is tried again; if it stays, restart the gateway."


class Incomplete(BadAnswer):
    """A part of the answer is missing or came twice."""


class Malformed(BadAnswer):
    """An answer that does not have the shape it must have."""


class Foreign(BadAnswer):
    """An answer that speaks of another account."""


class NotAuthenticated(NeedsUser):
    """Nobody is signed in at the broker."""

    code = "not_authenticated"


class NotAGateway(NeedsUser):
    """Something answers at the address, but it is not a gateway."""

    code = "not_a_gateway"


class AddressNotAllowed(NeedsUser):
    """The gateway refuses connections from this computer's address."""

    code = "address_not_allowed"


class CertificateChanged(NeedsUser):
    """The gateway shows another certificate than the pinned one; nothing was sent."""

    code = "certificate_changed"
    shown: Certificate | None = None


class CertificateUntrusted(NeedsUser):
    """The gateway's certificate proves nothing at this address; nothing was sent."""

    code = "certificate_untrusted"
    # Only where it helps that a person accepts it.
    shown: Certificate | None = None


class CredentialsMissing(NeedsUser):
    """A secret that the adapter declares was not entered, or cannot be read any more."""

    code = "credentials_missing"


class BrokerAccountMissing(NeedsUser):
    """The linked account is not among those of the signed-in user."""

    code = "broker_account_missing"

    @classmethod
    def of(cls, account_id: str, session: SessionState | None) -> BrokerAccountMissing:
        """The error of an account, which says who is signed in where the broker tells."""
        named = session.named if session else None
        who = "" if named is None else f", {named}"
        return cls(
            f"The account {account_id} is not in the list of the signed-in user{who}.",
            "Check who is signed in at the gateway: a spouse's or a paper user has other "
            "accounts.",
        )
