"""The documented JSON of testing, listing, connecting and disconnecting."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from portfolio.db.paging import LARGEST_KEY
from portfolio.web.openapi import Flag, Utc


class RowId(fields.Integer):
    """The id of a row, as a number or in a form; a number with a fraction is none."""

    def __init__(self, **more: Any) -> None:
        super().__init__(validate=validate.Range(min=1, max=LARGEST_KEY), **more)

    def _deserialize(self, value: Any, *rest: Any, **more: Any) -> Any:
        found = super()._deserialize(value, *rest, **more)
        if isinstance(value, bool) or (not isinstance(value, str) and value != found):
            raise self.make_error("invalid", input=value)
        return found


class GatewayQuery(Schema):
    """Which of several gateways; the first where left out."""

    gateway_id = RowId(load_default=None)


class SessionSchema(Schema):
    """Who is signed in at the broker; null where it is not known."""

    signed_in = fields.Boolean(required=True)
    trading_session = fields.Boolean(required=True, allow_none=True)
    signed_in_elsewhere = fields.Boolean(required=True, allow_none=True)
    user = fields.String(required=True, allow_none=True)
    is_paper = fields.Boolean(required=True, allow_none=True)
    expires_at = Utc(required=True, allow_none=True)


class CheckSchema(Schema):
    """One link of the chain; `ok` is null where it was not tested or is not needed."""

    name = fields.String(required=True, metadata={"example": "reachable"})
    ok = fields.Boolean(required=True, allow_none=True)
    message = fields.String(required=True)
    remedy = fields.String(required=True, allow_none=True)


class DiagnosisSchema(Schema):
    """What a test of the connection found."""

    connected = fields.Boolean(required=True, attribute="diagnosis.connected")
    code = fields.String(required=True, attribute="diagnosis.code", metadata={"example": "ready"})
    message = fields.String(required=True, attribute="diagnosis.message")
    remedy = fields.String(required=True, allow_none=True, attribute="diagnosis.remedy")
    gateway_url = fields.String(required=True, attribute="route.address")
    login_url = fields.String(required=True, attribute="route.login_address")
    session = fields.Nested(
        SessionSchema, required=True, allow_none=True, attribute="diagnosis.session"
    )
    checks = fields.List(fields.Nested(CheckSchema), required=True, attribute="diagnosis.checks")


class ConnectedToSchema(Schema):
    """The account that a broker account is linked to."""

    portfolio_id = fields.Integer(required=True)
    account_name = fields.String(required=True)


class AvailableAccountSchema(Schema):
    """A broker account that can be chosen."""

    id = fields.String(required=True, metadata={"example": "U1234567"})
    name = fields.String(required=True)
    currency = fields.String(required=True, allow_none=True)
    type = fields.String(required=True, allow_none=True)
    is_paper = fields.Boolean(required=True)
    is_open = fields.Boolean(required=True)
    gateway_id = fields.Integer(required=True)
    connected_to = fields.Nested(ConnectedToSchema, required=True, allow_none=True)


class AvailableAccountsSchema(Schema):
    """The broker accounts of the signed-in user."""

    accounts = fields.List(fields.Nested(AvailableAccountSchema), required=True)


CHOOSE = "Choose one of the broker's accounts."


class ConnectRequest(Schema):
    """Which broker account to link, and how."""

    account_id = fields.String(
        required=True,
        validate=validate.Length(min=1, max=40, error=CHOOSE),
        error_messages={"required": CHOOSE},
        metadata={"example": "U1234567"},
    )
    username = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=100),
        metadata={"description": "A note for you; we never sign in.", "example": "jdoe-api"},
    )
    manual_holdings = fields.String(
        load_default="replace_duplicates",
        validate=validate.OneOf(["replace_duplicates", "keep", "replace_all"]),
    )
    sync_enabled = Flag(load_default=True)
    sync = Flag(load_default=False)
    replace_holdings = fields.List(
        RowId(),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=100_000),
        metadata={"description": "Rows kept by hand that the first sync closes, by id"},
    )
    replace_cash = fields.List(
        RowId(),
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=1000),
    )
    looked_at = Flag(
        load_default=False, metadata={"description": "A browser is shown a preview without it"}
    )
    gateway_id = RowId(load_default=None, allow_none=True)


class DisconnectRequest(Schema):
    """What becomes of the synced holdings."""

    holdings = fields.String(
        load_default="keep",
        validate=validate.OneOf(["keep", "close"]),
        metadata={"example": "keep"},
    )


class ConnectionSchema(Schema):
    """The link between an account and one account at a broker."""

    id = fields.Integer(required=True, metadata={"example": 1})
    broker = fields.String(required=True, metadata={"example": "ibkr"})
    broker_account = fields.String(required=True, metadata={"example": "U1234567"})
    gateway_id = fields.Integer(required=True)
    username = fields.String(required=True, allow_none=True)
    sync_enabled = fields.Boolean(required=True)
    paused = fields.Boolean(required=True)
    portfolio_id = fields.Integer(required=True)
    account_name = fields.String(required=True)
    state = fields.String(required=True, metadata={"example": "ready"})
    code = fields.String(required=True, allow_none=True)
    synced_at = Utc(required=True, allow_none=True)
    next_run_at = Utc(required=True, allow_none=True)


class ConnectionsSchema(Schema):
    """All connections."""

    items = fields.List(fields.Nested(ConnectionSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ConnectionChange(Schema):
    """What becomes of a connection; what is left out stays."""

    paused = Flag(metadata={"example": False})
    sync_enabled = Flag()
    gateway_id = RowId()
    username = fields.String(
        allow_none=True,
        validate=validate.Length(max=100),
        metadata={"description": "A note for you; null or empty removes it."},
    )


class GatewaySchema(Schema):
    """A gateway; `silent_until` is the end of a penalty that IBKR gave."""

    id = fields.Integer(required=True, metadata={"example": 1})
    broker = fields.String(required=True, metadata={"example": "ibkr"})
    url = fields.String(required=True, metadata={"example": "https://localhost:5000"})
    login_url = fields.String(required=True)
    certificate_fingerprint = fields.String(required=True, allow_none=True)
    silent_until = Utc(required=True, allow_none=True)
    accounts = fields.List(fields.String(), required=True)


class GatewaysSchema(Schema):
    """All gateways."""

    items = fields.List(fields.Nested(GatewaySchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class NewGateway(Schema):
    """Where a gateway is; `login_url` is what a browser opens where that differs."""

    broker = fields.String(
        validate=validate.Length(max=40), metadata={"description": "The first one: ibkr"}
    )
    url = fields.String(required=True, metadata={"example": "https://localhost:5001"})
    login_url = fields.String()


class GatewayChange(Schema):
    """Where a gateway is from now on; what is left out stays."""

    url = fields.String(metadata={"example": "https://localhost:5002"})
    login_url = fields.String()


class AcceptCertificate(Schema):
    """The fingerprint that a person has looked at."""

    fingerprint = fields.String(
        required=True,
        validate=validate.Length(min=64, max=120),
        metadata={"example": "5f2a" * 16},
    )


class AcceptedCertificate(Schema):
    """The certificate that is trusted from now on."""

    fingerprint = fields.String(required=True)
    subject = fields.String(required=True)
    expires_at = Utc(required=True)


class DeliverySchema(Schema):
    """How many targets took a message; the sentence says the same."""

    targets = fields.Integer(required=True)
    taken = fields.Integer(required=True)
    message = fields.String(required=True)
    remedy = fields.String(required=True, allow_none=True)


class TargetSchema(Schema):
    """A stored address of notifications; `readable` is false where its key is missing."""

    id = fields.String(required=True, metadata={"example": "5f1c09ab77d2e340"})
    kind = fields.String(required=True, metadata={"example": "ntfys"})
    added_at = Utc(required=True)
    readable = fields.Boolean(required=True)


class TargetsSchema(Schema):
    """All stored addresses of notifications."""

    items = fields.List(fields.Nested(TargetSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class NewTarget(Schema):
    """An address of Apprise to which notifications shall go."""

    address = fields.String(
        required=True, load_only=True, metadata={"example": "ntfys://ntfy.sh/topic"}
    )


class SecretSchema(Schema):
    """A secret that an adapter declares; `set_at` is null where none was entered."""

    name = fields.String(required=True, metadata={"example": "token"})
    label = fields.String(required=True)
    hint = fields.String(required=True)
    set_at = Utc(required=True, allow_none=True)
    readable = fields.Boolean(required=True)


class SecretsSchema(Schema):
    """All that the adapter of a gateway needs to sign in."""

    items = fields.List(fields.Nested(SecretSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class NewSecrets(Schema):
    """Secrets of a gateway by their names."""

    secrets = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        load_only=True,
        metadata={"example": {}},
    )
