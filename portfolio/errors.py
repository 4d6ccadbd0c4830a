"""Everything that can go wrong inside the application.

    SetupProblem               the program cannot start; one sentence, no traceback
    DomainError                a request that cannot be fulfilled
    ├── NotFound                 404  also for what belongs to somebody else
    ├── Invalid                  422  fields of the request, each with its reason
    ├── Conflict                 409  contradicts what is stored
    ├── NotConnected             409  the account is not linked
    ├── LoginRequired            401  nobody is signed in
    │   └── TokenRefused         401  a token that is none
    ├── Forbidden                403  another web site could have sent it, or its sender may not
    ├── BadRequest               400  cannot be read at all
    ├── TooManyRequests          429
    ├── Unreadable               409  something sealed cannot be opened
    │   ├── KeyLost                its key is not among ours
    │   └── SealBroken             it was changed, or belongs somewhere else
    ├── KeyUnavailable           503  there is no key to seal with
    ├── RatesUnavailable         503  the reference rates could not be fetched
    ├── SyncRejected             409  an answer was not believed; nothing changed
    ├── StorageBusy              503  the database is locked; heals by itself
    └── StorageFailed            503  it could not be read or written: full, failing, damaged
        ├── StorageDamaged       503  what is stored is nothing that we write
        └── StorageLost          503  its server went away in the middle; heals by itself

A broker's own failures are in `brokers.errors`; `portfolio.web.errors` shows both in one shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta


class SetupProblem(Exception):
    """The program cannot start, and this sentence says why and what to do."""


class DomainError(Exception):
    """A failure with a stable code, one sentence, and one remedy."""

    code = "error"
    status = 400
    remedy: str | None = "Change what it names, then try again. Nothing was changed."
    retry_at: datetime | None = None
    # How long to wait before another try, where no time of day is known.
    pause: timedelta | None = None

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy or self.remedy
        self.fields: Mapping[str, str] = {}


class NotFound(DomainError):
    """There is no such thing, or it belongs to somebody else."""

    code = "not_found"
    status = 404

    def __init__(
        self, what: str, remedy: str = "Check the address, or start from the overview."
    ) -> None:
        super().__init__(f"There is no such {what}.", remedy)


class Invalid(DomainError):
    """Fields of the request that cannot be accepted, each with its reason."""

    code = "validation"
    status = 422

    def __init__(self, fields: Mapping[str, str]) -> None:
        first = next(iter(fields), "")
        super().__init__(f"{first}: {fields[first]}" if first else "The request is not valid.")
        self.fields = dict(fields)
        self.remedy = "Correct the fields named and send it again. Nothing was changed."


class Conflict(DomainError):
    """The request contradicts what is stored."""

    code = "conflict"
    status = 409


class NotConnected(DomainError):
    """The account is kept by hand."""

    code = "not_connected"
    status = 409

    def __init__(self, account: str) -> None:
        super().__init__(
            f"The account “{account}” is not connected to a broker.",
            "Open Edit, External Connections, and connect it first.",
        )


class Forbidden(DomainError):
    """A request that another web site could have sent."""

    code = "forbidden"
    status = 403


class LoginRequired(DomainError):
    """Nobody is signed in, or no longer."""

    code = "login_required"
    status = 401
    remedy = "Sign in, then try again. Nothing was changed."

    def __init__(self) -> None:
        super().__init__("Nobody is signed in.")


class TokenRefused(LoginRequired):
    """A token that is not known, has ended or was revoked."""

    remedy = "Make a new token on the page API tokens of Settings. Nothing was changed."

    def __init__(self) -> None:
        DomainError.__init__(self, "This token is not known, or it has ended.")


class BadRequest(DomainError):
    """A request that cannot be read."""

    code = "bad_request"
    status = 400


class TooManyRequests(DomainError):
    """More requests than one person makes."""

    code = "too_many_requests"
    status = 429
    remedy = "Wait a moment, then try again. Nothing was changed."

    def __init__(self, message: str, remedy: str, retry_at: datetime) -> None:
        super().__init__(message, remedy)
        self.retry_at = retry_at


class Unreadable(DomainError):
    """Something that is stored sealed cannot be opened; all that is not secret stays readable."""

    code = "unreadable"
    status = 409


class KeyLost(Unreadable):
    """It was sealed with a key that is not among ours any more, or not yet again."""

    code = "key_lost"
    remedy = (
        "Bring back the former key file (a line of it into ours is enough), or enter again what "
        "was stored."
    )


class SealBroken(Unreadable):
    """Its key is ours, but it is damaged, or was sealed for another place."""

    code = "seal_broken"
    remedy = "Enter again what was stored. If nobody touched the database, restore a copy of it."


class KeyUnavailable(DomainError):
    """There is no key: nothing secret can be stored or read."""

    code = "key_unavailable"
    status = 503
    remedy = (
        "Set FOLIOSYNC_KEY_FILE to a file that Foliosync may make outside its data folder, and "
        "start it again."
    )


class RatesUnavailable(DomainError):
    """Reference rates could not be fetched; the stored ones stay."""

    code = "rates_unavailable"
    status = 503
    remedy = "The stored rates are unchanged. Try again later, or type a rate by hand."


class SyncRejected(DomainError):
    """The broker's answer was not believed; the holdings are unchanged."""

    code = "sync_rejected"
    status = 409

    def __init__(self, gate: str, saw: str) -> None:
        super().__init__(
            f"Not applied: {saw}",
            "Your holdings are unchanged. Look at the account at your broker, then sync again.",
        )
        self.gate = gate


class StorageBusy(DomainError):
    """Another process is writing to the database."""

    code = "storage_busy"
    status = 503
    remedy = "Try again in a moment; nothing was changed."
    pause = timedelta(seconds=5)


class StorageFailed(DomainError):
    """The database could not be read or written."""

    code = "storage_failed"
    status = 503
    remedy = "Check that the disk is not full and that the data folder can be written."


class StorageDamaged(StorageFailed):
    """What is stored is nothing that we write, so nobody knows what it was."""

    remedy = "Restore the last copy of the database that was good; syncs bring back what is newer."


class StorageLost(StorageFailed):
    """The connection to the database ended, so that what was sent last may be stored or not."""

    remedy = "It is made again by itself. Look at what is stored, then try again."
    pause = timedelta(seconds=5)
