CREATE TABLE public.account (
    id integer NOT NULL,
    portfolio_id integer NOT NULL,
    name character varying(100) NOT NULL,
    currency character varying(12) NOT NULL,
    notes text,
    mode character varying(40) NOT NULL,
    synced_at timestamp with time zone,
    attention_code character varying(40),
    revision integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    likely_twins integer DEFAULT 0 NOT NULL,
    CONSTRAINT ck_account_mode_is_known CHECK (((mode)::text = ANY ((ARRAY['manual'::character varying, 'connected'::character varying])::text[])))
);
CREATE SEQUENCE public.account_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.account_id_seq OWNED BY public.account.id;
CREATE TABLE public.account_totals (
    id integer NOT NULL,
    account_id integer NOT NULL,
    state character varying(80) NOT NULL,
    currency character varying(12) NOT NULL,
    market_value numeric,
    cash numeric,
    accrued_interest numeric,
    accrued_dividends numeric,
    net_liquidation numeric,
    unrealized_pnl numeric,
    cost numeric,
    exposure numeric,
    incomplete json NOT NULL,
    broker_net_liquidation numeric,
    broker_currency character varying(12),
    by_kind json DEFAULT '{}'::json NOT NULL,
    by_currency json DEFAULT '{}'::json NOT NULL,
    CONSTRAINT ck_account_totals_accrued_dividends_is_a_number CHECK ((upper((accrued_dividends)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_account_totals_accrued_interest_is_a_number CHECK ((upper((accrued_interest)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_account_totals_broker_net_liquidation_is_a_number CHECK ((upper((broker_net_liquidation)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_account_totals_cash_is_a_number CHECK ((upper((cash)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_account_totals_cost_is_a_number CHECK ((upper((cost)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_account_totals_exposure_is_a_number CHECK ((upper((exposure)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_account_totals_market_value_is_a_number CHECK ((upper((market_value)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_account_totals_net_liquidation_is_a_number CHECK ((upper((net_liquidation)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_account_totals_unrealized_pnl_is_a_number CHECK ((upper((unrealized_pnl)::text) !~~ '%N%'::text))
);
CREATE SEQUENCE public.account_totals_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.account_totals_id_seq OWNED BY public.account_totals.id;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.cash_balance (
    id integer NOT NULL,
    account_id integer NOT NULL,
    currency character varying(12) NOT NULL,
    source character varying(40) NOT NULL,
    source_account character varying(40) NOT NULL,
    amount numeric NOT NULL,
    settled numeric,
    accrued_interest numeric,
    accrued_dividends numeric,
    twin character varying(40) DEFAULT 'none'::character varying NOT NULL,
    CONSTRAINT ck_cash_balance_accrued_dividends_is_a_number CHECK ((upper((accrued_dividends)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_cash_balance_accrued_interest_is_a_number CHECK ((upper((accrued_interest)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_cash_balance_amount_is_a_number CHECK ((upper((amount)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_cash_balance_settled_is_a_number CHECK ((upper((settled)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_cash_balance_twin_is_known CHECK (((twin)::text = ANY ((ARRAY['none'::character varying, 'likely'::character varying, 'settled'::character varying])::text[])))
);
CREATE SEQUENCE public.cash_balance_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.cash_balance_id_seq OWNED BY public.cash_balance.id;
CREATE TABLE public.change (
    id integer NOT NULL,
    run_id character varying(32) NOT NULL,
    holding_id integer,
    subject character varying(40) NOT NULL,
    label character varying(120) NOT NULL,
    field character varying(40) NOT NULL,
    old text,
    new text,
    source character varying(40) DEFAULT 'ibkr'::character varying NOT NULL,
    source_account character varying(40) DEFAULT ''::character varying NOT NULL,
    beside json
);
CREATE SEQUENCE public.change_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.change_id_seq OWNED BY public.change.id;
CREATE TABLE public.connection (
    id integer NOT NULL,
    owner_id integer NOT NULL,
    account_id integer NOT NULL,
    gateway_id integer NOT NULL,
    broker character varying(40) NOT NULL,
    broker_account character varying(40) NOT NULL,
    username character varying(100),
    manual_holdings character varying(40) NOT NULL,
    sync_enabled boolean NOT NULL,
    created_at timestamp with time zone NOT NULL,
    replaced_holdings json DEFAULT '[]'::json NOT NULL,
    replaced_cash json DEFAULT '[]'::json NOT NULL,
    next_run_at timestamp with time zone,
    paused_at timestamp with time zone,
    paused_state_at timestamp with time zone,
    futures_profit_counts boolean
);
CREATE SEQUENCE public.connection_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.connection_id_seq OWNED BY public.connection.id;
CREATE TABLE public.daily_value (
    id integer NOT NULL,
    account_id integer NOT NULL,
    day date NOT NULL,
    currency character varying(12) NOT NULL,
    net_liquidation numeric,
    read_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_daily_value_net_liquidation_is_a_number CHECK ((upper((net_liquidation)::text) !~~ '%N%'::text))
);
CREATE SEQUENCE public.daily_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.daily_value_id_seq OWNED BY public.daily_value.id;
CREATE TABLE public.gateway (
    id integer NOT NULL,
    owner_id integer NOT NULL,
    broker character varying(40) NOT NULL,
    address character varying(300) NOT NULL,
    login_address character varying(300) NOT NULL,
    certificate_pem text,
    certificate_fingerprint character varying(64),
    silent_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    last_calls json DEFAULT '{}'::json NOT NULL,
    state character varying(40) DEFAULT 'unknown'::character varying NOT NULL,
    state_since timestamp with time zone,
    message text,
    remedy text,
    session json,
    contacted_at timestamp with time zone,
    next_contact_at timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    said character varying(40)
);
CREATE SEQUENCE public.gateway_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.gateway_id_seq OWNED BY public.gateway.id;
CREATE TABLE public.holding (
    id integer NOT NULL,
    account_id integer NOT NULL,
    instrument_id integer NOT NULL,
    source character varying(40) NOT NULL,
    source_account character varying(40) NOT NULL,
    quantity numeric NOT NULL,
    average_price numeric,
    opened_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    price numeric,
    market_value numeric,
    unrealized_pnl numeric,
    quoted_at timestamp with time zone,
    notes text,
    display_name character varying(200),
    category character varying(100),
    target_weight numeric,
    twin character varying(40) DEFAULT 'none'::character varying NOT NULL,
    CONSTRAINT ck_holding_average_price_is_a_number CHECK ((upper((average_price)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_holding_market_value_is_a_number CHECK ((upper((market_value)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_holding_price_is_a_number CHECK ((upper((price)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_holding_quantity_is_a_number CHECK ((upper((quantity)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_holding_target_weight_is_a_number CHECK ((upper((target_weight)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_holding_twin_is_known CHECK (((twin)::text = ANY ((ARRAY['none'::character varying, 'likely'::character varying, 'settled'::character varying])::text[]))),
    CONSTRAINT ck_holding_unrealized_pnl_is_a_number CHECK ((upper((unrealized_pnl)::text) !~~ '%N%'::text))
);
CREATE SEQUENCE public.holding_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.holding_id_seq OWNED BY public.holding.id;
CREATE TABLE public.instrument (
    id integer NOT NULL,
    owner_id integer NOT NULL,
    source character varying(40) NOT NULL,
    symbol character varying(100) NOT NULL,
    name character varying(200),
    kind character varying(40) NOT NULL,
    currency character varying(12) NOT NULL,
    multiplier numeric NOT NULL,
    exchange character varying(40),
    expiry date,
    strike numeric,
    option_right character varying(4),
    underlying character varying(100),
    CONSTRAINT ck_instrument_multiplier_is_a_number CHECK ((upper((multiplier)::text) !~~ '%N%'::text)),
    CONSTRAINT ck_instrument_option_right_is_known CHECK (((option_right)::text = ANY ((ARRAY['call'::character varying, 'put'::character varying])::text[]))),
    CONSTRAINT ck_instrument_strike_is_a_number CHECK ((upper((strike)::text) !~~ '%N%'::text))
);
CREATE SEQUENCE public.instrument_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.instrument_id_seq OWNED BY public.instrument.id;
CREATE TABLE public.instrument_identifier (
    id integer NOT NULL,
    owner_id integer NOT NULL,
    instrument_id integer NOT NULL,
    scheme character varying(40) NOT NULL,
    value character varying(100) NOT NULL,
    is_key boolean NOT NULL
);
CREATE SEQUENCE public.instrument_identifier_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.instrument_identifier_id_seq OWNED BY public.instrument_identifier.id;
CREATE TABLE public.lease (
    name character varying(60) NOT NULL,
    owner character varying(60) NOT NULL,
    until timestamp with time zone NOT NULL,
    fence integer NOT NULL
);
CREATE TABLE public.messenger (
    owner_id integer NOT NULL,
    until timestamp with time zone NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    tested_at timestamp with time zone
);
CREATE TABLE public.portfolio (
    id integer NOT NULL,
    owner_id integer NOT NULL,
    name character varying(100) NOT NULL,
    base_currency character varying(12) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.portfolio_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.portfolio_id_seq OWNED BY public.portfolio.id;
CREATE TABLE public.rate (
    id integer NOT NULL,
    owner_id integer NOT NULL,
    from_currency character varying(12) NOT NULL,
    to_currency character varying(12) NOT NULL,
    day date NOT NULL,
    source character varying(40) NOT NULL,
    value numeric NOT NULL,
    read_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_rate_currencies_differ CHECK (((from_currency)::text <> (to_currency)::text)),
    CONSTRAINT ck_rate_value_is_a_number CHECK ((upper((value)::text) !~~ '%N%'::text))
);
CREATE SEQUENCE public.rate_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.rate_id_seq OWNED BY public.rate.id;
CREATE TABLE public.setting (
    id integer NOT NULL,
    owner_id integer NOT NULL,
    key character varying(40) NOT NULL,
    value text NOT NULL
);
CREATE SEQUENCE public.setting_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.setting_id_seq OWNED BY public.setting.id;
CREATE TABLE public.sync_run (
    id character varying(32) NOT NULL,
    account_id integer NOT NULL,
    connection_id integer,
    status character varying(40) NOT NULL,
    reason character varying(40),
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    lease_until timestamp with time zone NOT NULL,
    added integer NOT NULL,
    changed integer NOT NULL,
    closed integer NOT NULL,
    unchanged integer NOT NULL,
    repriced integer NOT NULL,
    warnings json NOT NULL,
    reconciliation json NOT NULL,
    evidence json,
    error json,
    digest character varying(64),
    digest_before character varying(64),
    origin character varying(40) DEFAULT 'hand'::character varying NOT NULL,
    decided_by character varying(100),
    progress json,
    kept json,
    concerns character varying(32),
    CONSTRAINT ck_sync_run_origin_is_known CHECK (((origin)::text = ANY ((ARRAY['hand'::character varying, 'schedule'::character varying, 'undo'::character varying, 'decision'::character varying])::text[]))),
    CONSTRAINT ck_sync_run_status_is_known CHECK (((status)::text = ANY ((ARRAY['running'::character varying, 'succeeded'::character varying, 'rejected'::character varying, 'failed'::character varying, 'interrupted'::character varying, 'undone'::character varying])::text[])))
);
CREATE TABLE public.told (
    id integer NOT NULL,
    owner_id integer NOT NULL,
    subject character varying(40) NOT NULL,
    code character varying(40) NOT NULL,
    told_at timestamp with time zone NOT NULL
);
CREATE SEQUENCE public.told_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.told_id_seq OWNED BY public.told.id;
CREATE TABLE public."user" (
    id integer NOT NULL,
    name character varying(100) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    rates_revision integer DEFAULT 0 NOT NULL
);
CREATE SEQUENCE public.user_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.user_id_seq OWNED BY public."user".id;
ALTER TABLE ONLY public.account ALTER COLUMN id SET DEFAULT nextval('public.account_id_seq'::regclass);
ALTER TABLE ONLY public.account_totals ALTER COLUMN id SET DEFAULT nextval('public.account_totals_id_seq'::regclass);
ALTER TABLE ONLY public.cash_balance ALTER COLUMN id SET DEFAULT nextval('public.cash_balance_id_seq'::regclass);
ALTER TABLE ONLY public.change ALTER COLUMN id SET DEFAULT nextval('public.change_id_seq'::regclass);
ALTER TABLE ONLY public.connection ALTER COLUMN id SET DEFAULT nextval('public.connection_id_seq'::regclass);
ALTER TABLE ONLY public.daily_value ALTER COLUMN id SET DEFAULT nextval('public.daily_value_id_seq'::regclass);
ALTER TABLE ONLY public.gateway ALTER COLUMN id SET DEFAULT nextval('public.gateway_id_seq'::regclass);
ALTER TABLE ONLY public.holding ALTER COLUMN id SET DEFAULT nextval('public.holding_id_seq'::regclass);
ALTER TABLE ONLY public.instrument ALTER COLUMN id SET DEFAULT nextval('public.instrument_id_seq'::regclass);
ALTER TABLE ONLY public.instrument_identifier ALTER COLUMN id SET DEFAULT nextval('public.instrument_identifier_id_seq'::regclass);
ALTER TABLE ONLY public.portfolio ALTER COLUMN id SET DEFAULT nextval('public.portfolio_id_seq'::regclass);
ALTER TABLE ONLY public.rate ALTER COLUMN id SET DEFAULT nextval('public.rate_id_seq'::regclass);
ALTER TABLE ONLY public.setting ALTER COLUMN id SET DEFAULT nextval('public.setting_id_seq'::regclass);
ALTER TABLE ONLY public.told ALTER COLUMN id SET DEFAULT nextval('public.told_id_seq'::regclass);
ALTER TABLE ONLY public."user" ALTER COLUMN id SET DEFAULT nextval('public.user_id_seq'::regclass);
INSERT INTO public.account VALUES (1, 1, 'A', 'USD', NULL, 'connected', '2026-11-20 14:00:20+00', 'not_authenticated', 2, '2026-11-20 14:00:00+00', 0);
INSERT INTO public.account VALUES (2, 1, 'By hand – Ä', 'CHF', 'kept "by hand"; ''since'' 2019
second line', 'manual', NULL, NULL, 2, '2026-11-20 14:00:27+00', 0);
INSERT INTO public.account_totals VALUES (1, 1, '2:USD:2', 'USD', 638037.147709, 177179.761863, -40.399265, 1334.537136, 816511.047443, 88342.46551247, 549694.68219653, 649427.547709, '[]', 816511.047443, 'USD', '{"etf": "359557.955", "stock": "278479.192709", "cash": "178473.899734"}', '{"USD": "542417.19793", "EUR": "238937.101884", "CHF": "30466.461749", "GBP": "12792.78588", "JPY": "-8102.5"}');
INSERT INTO public.account_totals VALUES (2, 2, '2:CHF:2', 'CHF', NULL, -1157597.91662635269, 0, 0, -1157597.91662635269, NULL, 0, NULL, '["without 1 holding: no price", "P&L without 1 holding: cost or price not known"]', NULL, NULL, '{"cash": "-1157597.91662635269"}', '{"EUR": "-1157597.91662635269"}');
INSERT INTO public.alembic_version VALUES ('0006');
INSERT INTO public.cash_balance VALUES (1, 1, 'USD', 'ibkr', 'U1234567', -18402.77, -18402.77, -41.17, 1104.6, 'none');
INSERT INTO public.cash_balance VALUES (3, 1, 'CHF', 'ibkr', 'U1234567', 1530.25, 1530.25, 0, 0, 'none');
INSERT INTO public.cash_balance VALUES (4, 1, 'GBP', 'ibkr', 'U1234567', 410.02, 410.02, 0.61, 0, 'none');
INSERT INTO public.cash_balance VALUES (5, 1, 'JPY', 'ibkr', 'U1234567', -1250000, -1250000, 0, 0, 'none');
INSERT INTO public.cash_balance VALUES (2, 1, 'EUR', 'ibkr', 'U1234567', 185791.54, 185791.54, 0, 212.08, 'none');
INSERT INTO public.cash_balance VALUES (6, 2, 'EUR', 'manual', '', -1234567.89, NULL, NULL, NULL, 'none');
INSERT INTO public.change VALUES (1, '18f09a379fc4dd5b', 1, 'holding', 'SPY', 'quantity', NULL, '440', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (2, '18f09a379fc4dd5b', 1, 'holding', 'SPY', 'average_price', NULL, '596.3936', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (3, '18f09a379fc4dd5b', 1, 'holding', 'SPY', 'symbol', NULL, 'SPY', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (4, '18f09a379fc4dd5b', 1, 'holding', 'SPY', 'kind', NULL, 'etf', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (5, '18f09a379fc4dd5b', 1, 'holding', 'SPY', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (6, '18f09a379fc4dd5b', 1, 'holding', 'SPY', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (7, '18f09a379fc4dd5b', 2, 'holding', 'VWCE', 'quantity', NULL, '1250.5', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (8, '18f09a379fc4dd5b', 2, 'holding', 'VWCE', 'average_price', NULL, '126.3655', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (9, '18f09a379fc4dd5b', 2, 'holding', 'VWCE', 'symbol', NULL, 'VWCE', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (10, '18f09a379fc4dd5b', 2, 'holding', 'VWCE', 'kind', NULL, 'etf', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (11, '18f09a379fc4dd5b', 2, 'holding', 'VWCE', 'currency', NULL, 'EUR', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (12, '18f09a379fc4dd5b', 2, 'holding', 'VWCE', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (13, '18f09a379fc4dd5b', 3, 'holding', 'NVDA', 'quantity', NULL, '400', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (14, '18f09a379fc4dd5b', 3, 'holding', 'NVDA', 'average_price', NULL, '145.25725', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (15, '18f09a379fc4dd5b', 3, 'holding', 'NVDA', 'symbol', NULL, 'NVDA', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (16, '18f09a379fc4dd5b', 3, 'holding', 'NVDA', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (17, '18f09a379fc4dd5b', 3, 'holding', 'NVDA', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (18, '18f09a379fc4dd5b', 3, 'holding', 'NVDA', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (19, '18f09a379fc4dd5b', 4, 'holding', 'QQQ', 'quantity', NULL, '85', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (20, '18f09a379fc4dd5b', 4, 'holding', 'QQQ', 'average_price', NULL, '501.7722', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (21, '18f09a379fc4dd5b', 4, 'holding', 'QQQ', 'symbol', NULL, 'QQQ', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (22, '18f09a379fc4dd5b', 4, 'holding', 'QQQ', 'kind', NULL, 'etf', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (23, '18f09a379fc4dd5b', 4, 'holding', 'QQQ', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (24, '18f09a379fc4dd5b', 4, 'holding', 'QQQ', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (25, '18f09a379fc4dd5b', 5, 'holding', 'IEMG', 'quantity', NULL, '310.75', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (26, '18f09a379fc4dd5b', 5, 'holding', 'IEMG', 'average_price', NULL, '58.1204', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (27, '18f09a379fc4dd5b', 5, 'holding', 'IEMG', 'symbol', NULL, 'IEMG', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (28, '18f09a379fc4dd5b', 5, 'holding', 'IEMG', 'kind', NULL, 'etf', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (29, '18f09a379fc4dd5b', 5, 'holding', 'IEMG', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (30, '18f09a379fc4dd5b', 5, 'holding', 'IEMG', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (31, '18f09a379fc4dd5b', 6, 'holding', 'AAPL', 'quantity', NULL, '150', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (32, '18f09a379fc4dd5b', 6, 'holding', 'AAPL', 'average_price', NULL, '189.9814', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (33, '18f09a379fc4dd5b', 6, 'holding', 'AAPL', 'symbol', NULL, 'AAPL', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (34, '18f09a379fc4dd5b', 6, 'holding', 'AAPL', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (35, '18f09a379fc4dd5b', 6, 'holding', 'AAPL', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (36, '18f09a379fc4dd5b', 6, 'holding', 'AAPL', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (37, '18f09a379fc4dd5b', 7, 'holding', 'MSFT', 'quantity', NULL, '60', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (38, '18f09a379fc4dd5b', 7, 'holding', 'MSFT', 'average_price', NULL, '398.5531', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (39, '18f09a379fc4dd5b', 7, 'holding', 'MSFT', 'symbol', NULL, 'MSFT', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (40, '18f09a379fc4dd5b', 7, 'holding', 'MSFT', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (41, '18f09a379fc4dd5b', 7, 'holding', 'MSFT', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (42, '18f09a379fc4dd5b', 7, 'holding', 'MSFT', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (43, '18f09a379fc4dd5b', 8, 'holding', 'BRK B', 'quantity', NULL, '35', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (44, '18f09a379fc4dd5b', 8, 'holding', 'BRK B', 'average_price', NULL, '421.1185', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (45, '18f09a379fc4dd5b', 8, 'holding', 'BRK B', 'symbol', NULL, 'BRK B', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (46, '18f09a379fc4dd5b', 8, 'holding', 'BRK B', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (47, '18f09a379fc4dd5b', 8, 'holding', 'BRK B', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (48, '18f09a379fc4dd5b', 8, 'holding', 'BRK B', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (49, '18f09a379fc4dd5b', 9, 'holding', 'JNJ', 'quantity', NULL, '42.3187', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (50, '18f09a379fc4dd5b', 9, 'holding', 'JNJ', 'average_price', NULL, '158.7703', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (51, '18f09a379fc4dd5b', 9, 'holding', 'JNJ', 'symbol', NULL, 'JNJ', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (52, '18f09a379fc4dd5b', 9, 'holding', 'JNJ', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (53, '18f09a379fc4dd5b', 9, 'holding', 'JNJ', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (54, '18f09a379fc4dd5b', 9, 'holding', 'JNJ', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (55, '18f09a379fc4dd5b', 10, 'holding', 'PG', 'quantity', NULL, '55', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (56, '18f09a379fc4dd5b', 10, 'holding', 'PG', 'average_price', NULL, '161.9927', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (57, '18f09a379fc4dd5b', 10, 'holding', 'PG', 'symbol', NULL, 'PG', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (58, '18f09a379fc4dd5b', 10, 'holding', 'PG', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (59, '18f09a379fc4dd5b', 10, 'holding', 'PG', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (60, '18f09a379fc4dd5b', 10, 'holding', 'PG', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (61, '18f09a379fc4dd5b', 11, 'holding', 'T', 'quantity', NULL, '400', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (62, '18f09a379fc4dd5b', 11, 'holding', 'T', 'average_price', NULL, '22.3391', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (63, '18f09a379fc4dd5b', 11, 'holding', 'T', 'symbol', NULL, 'T', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (64, '18f09a379fc4dd5b', 11, 'holding', 'T', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (65, '18f09a379fc4dd5b', 11, 'holding', 'T', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (66, '18f09a379fc4dd5b', 11, 'holding', 'T', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (67, '18f09a379fc4dd5b', 12, 'holding', 'TSM', 'quantity', NULL, '75', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (68, '18f09a379fc4dd5b', 12, 'holding', 'TSM', 'average_price', NULL, '182.4407', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (69, '18f09a379fc4dd5b', 12, 'holding', 'TSM', 'symbol', NULL, 'TSM', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (70, '18f09a379fc4dd5b', 12, 'holding', 'TSM', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (71, '18f09a379fc4dd5b', 12, 'holding', 'TSM', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (72, '18f09a379fc4dd5b', 12, 'holding', 'TSM', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (73, '18f09a379fc4dd5b', 13, 'holding', 'NVO', 'quantity', NULL, '-120', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (74, '18f09a379fc4dd5b', 13, 'holding', 'NVO', 'average_price', NULL, '71.8802', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (75, '18f09a379fc4dd5b', 13, 'holding', 'NVO', 'symbol', NULL, 'NVO', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (76, '18f09a379fc4dd5b', 13, 'holding', 'NVO', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (77, '18f09a379fc4dd5b', 13, 'holding', 'NVO', 'currency', NULL, 'USD', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (78, '18f09a379fc4dd5b', 13, 'holding', 'NVO', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (79, '18f09a379fc4dd5b', 14, 'holding', 'ASML', 'quantity', NULL, '12', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (80, '18f09a379fc4dd5b', 14, 'holding', 'ASML', 'average_price', NULL, '688.2145', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (81, '18f09a379fc4dd5b', 14, 'holding', 'ASML', 'symbol', NULL, 'ASML', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (82, '18f09a379fc4dd5b', 14, 'holding', 'ASML', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (83, '18f09a379fc4dd5b', 14, 'holding', 'ASML', 'currency', NULL, 'EUR', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (84, '18f09a379fc4dd5b', 14, 'holding', 'ASML', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (85, '18f09a379fc4dd5b', 15, 'holding', 'SAP', 'quantity', NULL, '48', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (86, '18f09a379fc4dd5b', 15, 'holding', 'SAP', 'average_price', NULL, '172.6618', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (87, '18f09a379fc4dd5b', 15, 'holding', 'SAP', 'symbol', NULL, 'SAP', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (88, '18f09a379fc4dd5b', 15, 'holding', 'SAP', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (89, '18f09a379fc4dd5b', 15, 'holding', 'SAP', 'currency', NULL, 'EUR', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (90, '18f09a379fc4dd5b', 15, 'holding', 'SAP', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (91, '18f09a379fc4dd5b', 16, 'holding', 'MC', 'quantity', NULL, '9', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (92, '18f09a379fc4dd5b', 16, 'holding', 'MC', 'average_price', NULL, '702.1133', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (93, '18f09a379fc4dd5b', 16, 'holding', 'MC', 'symbol', NULL, 'MC', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (94, '18f09a379fc4dd5b', 16, 'holding', 'MC', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (95, '18f09a379fc4dd5b', 16, 'holding', 'MC', 'currency', NULL, 'EUR', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (96, '18f09a379fc4dd5b', 16, 'holding', 'MC', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (97, '18f09a379fc4dd5b', 17, 'holding', 'SIE', 'quantity', NULL, '40', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (98, '18f09a379fc4dd5b', 17, 'holding', 'SIE', 'average_price', NULL, '171.5094', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (99, '18f09a379fc4dd5b', 17, 'holding', 'SIE', 'symbol', NULL, 'SIE', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (100, '18f09a379fc4dd5b', 17, 'holding', 'SIE', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (101, '18f09a379fc4dd5b', 17, 'holding', 'SIE', 'currency', NULL, 'EUR', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (102, '18f09a379fc4dd5b', 17, 'holding', 'SIE', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (103, '18f09a379fc4dd5b', 18, 'holding', 'NESN', 'quantity', NULL, '130', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (104, '18f09a379fc4dd5b', 18, 'holding', 'NESN', 'average_price', NULL, '95.3371', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (105, '18f09a379fc4dd5b', 18, 'holding', 'NESN', 'symbol', NULL, 'NESN', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (106, '18f09a379fc4dd5b', 18, 'holding', 'NESN', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (107, '18f09a379fc4dd5b', 18, 'holding', 'NESN', 'currency', NULL, 'CHF', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (108, '18f09a379fc4dd5b', 18, 'holding', 'NESN', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (109, '18f09a379fc4dd5b', 19, 'holding', 'ROG', 'quantity', NULL, '28', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (110, '18f09a379fc4dd5b', 19, 'holding', 'ROG', 'average_price', NULL, '261.4488', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (111, '18f09a379fc4dd5b', 19, 'holding', 'ROG', 'symbol', NULL, 'ROG', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (112, '18f09a379fc4dd5b', 19, 'holding', 'ROG', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (113, '18f09a379fc4dd5b', 19, 'holding', 'ROG', 'currency', NULL, 'CHF', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (114, '18f09a379fc4dd5b', 19, 'holding', 'ROG', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (115, '18f09a379fc4dd5b', 20, 'holding', 'NOVN', 'quantity', NULL, '64', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (116, '18f09a379fc4dd5b', 20, 'holding', 'NOVN', 'average_price', NULL, '89.6614', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (117, '18f09a379fc4dd5b', 20, 'holding', 'NOVN', 'symbol', NULL, 'NOVN', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (118, '18f09a379fc4dd5b', 20, 'holding', 'NOVN', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (119, '18f09a379fc4dd5b', 20, 'holding', 'NOVN', 'currency', NULL, 'CHF', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (120, '18f09a379fc4dd5b', 20, 'holding', 'NOVN', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (121, '18f09a379fc4dd5b', 21, 'holding', 'SHEL', 'quantity', NULL, '350', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (122, '18f09a379fc4dd5b', 21, 'holding', 'SHEL', 'average_price', NULL, '24.1108', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (123, '18f09a379fc4dd5b', 21, 'holding', 'SHEL', 'symbol', NULL, 'SHEL', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (124, '18f09a379fc4dd5b', 21, 'holding', 'SHEL', 'kind', NULL, 'stock', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (125, '18f09a379fc4dd5b', 21, 'holding', 'SHEL', 'currency', NULL, 'GBP', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (126, '18f09a379fc4dd5b', 21, 'holding', 'SHEL', 'multiplier', NULL, '1', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (127, '18f09a379fc4dd5b', NULL, 'cash', 'CHF', 'amount', NULL, '1530.25', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (128, '18f09a379fc4dd5b', NULL, 'cash', 'EUR', 'amount', NULL, '8120.5', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (129, '18f09a379fc4dd5b', NULL, 'cash', 'GBP', 'amount', NULL, '410.02', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (130, '18f09a379fc4dd5b', NULL, 'cash', 'JPY', 'amount', NULL, '-1250000', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (131, '18f09a379fc4dd5b', NULL, 'cash', 'USD', 'amount', NULL, '-18402.77', 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (132, '4f5ccd5f055cc050', 2, 'holding', 'VWCE', 'quantity', '1250.5', NULL, 'ibkr', 'U1234567', NULL);
INSERT INTO public.change VALUES (133, '4f5ccd5f055cc050', NULL, 'cash', 'EUR', 'amount', '8120.5', '185791.54', 'ibkr', 'U1234567', NULL);
INSERT INTO public.connection VALUES (1, 1, 1, 1, 'ibkr', 'U1234567', NULL, 'replace_duplicates', true, '2026-11-20 14:00:06+00', '[]', '[]', NULL, NULL, NULL, NULL);
INSERT INTO public.daily_value VALUES (1, 1, '2026-11-20', 'USD', 816511.047443, '2026-11-20 14:00:27+00');
INSERT INTO public.daily_value VALUES (2, 2, '2026-11-20', 'CHF', -1157597.91662635269, '2026-11-20 14:00:27+00');
INSERT INTO public.gateway VALUES (1, 1, 'ibkr', 'https://localhost:5000', 'https://localhost:5000', '-----BEGIN CERTIFICATE-----
MIIBFjCBvaADAgECAgEHMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCVNpbXVsYXRl
ZDAgFw0yMDAxMDEwMDAwMDBaGA8yMTAwMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJ
U2ltdWxhdGVkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErkeNCZAjL3Mzet/9
s9FKwP+qf/lccKzJLbWGgzVB1TwxRLjjcXrJDJc5DDq57Cv1gvYX3BtRobNxrK8C
D/vMaDAKBggqhkjOPQQDAgNIADBFAiAYKf3bijRsBxxXdn+y+dFARjDTUKyKfymb
4AopqKiJFwIhAJR8N/0Id0hhBNifzoz6dbRRYZw/OfpgFzgK0h4n/BwB
', '20af5ed6e71fc77b0243488c2023cde681a4303d4518153cfddf5c9504848405', NULL, '2026-11-20 14:00:00+00', '{"*": "2026-11-20T14:00:27+00:00", "/portfolio/accounts": "2026-11-20T14:00:19+00:00", "/tickle": "2026-11-20T14:00:27+00:00", "/sso/validate": "2026-11-20T14:00:06+00:00"}', 'not_authenticated', '2026-11-20 14:00:27+00', 'Not authenticated with IBKR.', 'Open https://localhost:5000 in your browser and log in, then try again. IBKR ends each session once a day.', NULL, '2026-11-20 14:00:27+00', '2026-11-20 14:01:27+00', 1, 'not_authenticated');
INSERT INTO public.holding VALUES (1, 1, 1, 'ibkr', 'U1234567', 440, 596.3936, '2026-11-20 14:00:13+00', NULL, 656.25, 288750, 26336.816, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (2, 1, 2, 'ibkr', 'U1234567', 1250.5, 126.3655, '2026-11-20 14:00:13+00', '2026-11-20 14:00:20+00', 142.08, 177671.04, 19650.98225, '2026-11-20 14:00:13+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (3, 1, 3, 'ibkr', 'U1234567', 400, 145.25725, '2026-11-20 14:00:13+00', NULL, 178.4, 71360, 13257.1, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (4, 1, 4, 'ibkr', 'U1234567', 85, 501.7722, '2026-11-20 14:00:13+00', NULL, 588.31, 50006.35, 7355.713, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (5, 1, 5, 'ibkr', 'U1234567', 310.75, 58.1204, '2026-11-20 14:00:13+00', NULL, 66.94, 20801.605, 2740.6907, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (6, 1, 6, 'ibkr', 'U1234567', 150, 189.9814, '2026-11-20 14:00:13+00', NULL, 271.49, 40723.5, 12226.29, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (7, 1, 7, 'ibkr', 'U1234567', 60, 398.5531, '2026-11-20 14:00:13+00', NULL, 472.12, 28327.2, 4414.014, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (8, 1, 8, 'ibkr', 'U1234567', 35, 421.1185, '2026-11-20 14:00:13+00', NULL, 504.04, 17641.4, 2902.2525, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (9, 1, 9, 'ibkr', 'U1234567', 42.3187, 158.7703, '2026-11-20 14:00:13+00', NULL, 203.9, 8628.78293, 1909.83023539, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (10, 1, 10, 'ibkr', 'U1234567', 55, 161.9927, '2026-11-20 14:00:13+00', NULL, 150.68, 8287.4, -622.1985, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (11, 1, 11, 'ibkr', 'U1234567', 400, 22.3391, '2026-11-20 14:00:13+00', NULL, 25.74, 10296, 1360.36, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (12, 1, 12, 'ibkr', 'U1234567', 75, 182.4407, '2026-11-20 14:00:13+00', NULL, 275.06, 20629.5, 6946.4475, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (13, 1, 13, 'ibkr', 'U1234567', -120, 71.8802, '2026-11-20 14:00:13+00', NULL, 47.46, -5695.2, 2930.424, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (14, 1, 14, 'ibkr', 'U1234567', 12, 688.2145, '2026-11-20 14:00:13+00', NULL, 842.7, 10112.4, 1853.826, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (15, 1, 15, 'ibkr', 'U1234567', 48, 172.6618, '2026-11-20 14:00:13+00', NULL, 204.05, 9794.4, 1506.6336, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (16, 1, 16, 'ibkr', 'U1234567', 9, 702.1133, '2026-11-20 14:00:13+00', NULL, 617.4, 5556.6, -762.4197, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (17, 1, 17, 'ibkr', 'U1234567', 40, 171.5094, '2026-11-20 14:00:13+00', NULL, 222.85, 8914, 2053.624, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (18, 1, 18, 'ibkr', 'U1234567', 130, 95.3371, '2026-11-20 14:00:13+00', NULL, 79.92, 10389.6, -2004.223, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (19, 1, 19, 'ibkr', 'U1234567', 28, 261.4488, '2026-11-20 14:00:13+00', NULL, 300.6, 8416.8, 1096.2336, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (20, 1, 20, 'ibkr', 'U1234567', 64, 89.6614, '2026-11-20 14:00:13+00', NULL, 102.88, 6584.32, 845.9904, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (21, 1, 21, 'ibkr', 'U1234567', 350, 24.1108, '2026-11-20 14:00:13+00', NULL, 27.755, 9714.25, 1275.47, '2026-11-20 14:00:20+00', NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.holding VALUES (22, 2, 22, 'manual', '', 0.123456789012345678, 61234.56, '2026-11-20 14:00:27+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'none');
INSERT INTO public.instrument VALUES (1, 1, 'ibkr', 'SPY', 'SPDR S&P 500 ETF TRUST', 'etf', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (2, 1, 'ibkr', 'VWCE', 'VANGUARD FTSE ALL-WORLD ACC', 'etf', 'EUR', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (3, 1, 'ibkr', 'NVDA', 'NVIDIA CORP', 'stock', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (4, 1, 'ibkr', 'QQQ', 'INVESCO QQQ TRUST SERIES 1', 'etf', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (5, 1, 'ibkr', 'IEMG', 'ISHARES CORE MSCI EMERGING', 'etf', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (6, 1, 'ibkr', 'AAPL', 'APPLE INC', 'stock', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (7, 1, 'ibkr', 'MSFT', 'MICROSOFT CORP', 'stock', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (8, 1, 'ibkr', 'BRK B', 'BERKSHIRE HATHAWAY INC-CL B', 'stock', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (9, 1, 'ibkr', 'JNJ', 'JOHNSON & JOHNSON', 'stock', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (10, 1, 'ibkr', 'PG', 'PROCTER & GAMBLE CO/THE', 'stock', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (11, 1, 'ibkr', 'T', 'AT&T INC', 'stock', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (12, 1, 'ibkr', 'TSM', 'TAIWAN SEMICONDUCTOR-SP ADR', 'stock', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (13, 1, 'ibkr', 'NVO', 'NOVO-NORDISK A/S-SPONS ADR', 'stock', 'USD', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (14, 1, 'ibkr', 'ASML', 'ASML HOLDING NV', 'stock', 'EUR', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (15, 1, 'ibkr', 'SAP', 'SAP SE', 'stock', 'EUR', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (16, 1, 'ibkr', 'MC', 'LVMH MOET HENNESSY LOUIS VUI', 'stock', 'EUR', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (17, 1, 'ibkr', 'SIE', 'SIEMENS AG-REG', 'stock', 'EUR', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (18, 1, 'ibkr', 'NESN', 'NESTLE SA-REG', 'stock', 'CHF', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (19, 1, 'ibkr', 'ROG', 'ROCHE HOLDING AG-GENUSSCHEIN', 'stock', 'CHF', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (20, 1, 'ibkr', 'NOVN', 'NOVARTIS AG-REG', 'stock', 'CHF', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (21, 1, 'ibkr', 'SHEL', 'SHELL PLC', 'stock', 'GBP', 1, 'NYSE', NULL, NULL, NULL, NULL);
INSERT INTO public.instrument VALUES (22, 1, 'manual', 'GOLD', 'Bars', 'other', 'CHF', 1, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.instrument_identifier VALUES (1, 1, 1, 'ibkr_conid', '756733', true);
INSERT INTO public.instrument_identifier VALUES (2, 1, 2, 'ibkr_conid', '756734', true);
INSERT INTO public.instrument_identifier VALUES (3, 1, 3, 'ibkr_conid', '756735', true);
INSERT INTO public.instrument_identifier VALUES (4, 1, 4, 'ibkr_conid', '756736', true);
INSERT INTO public.instrument_identifier VALUES (5, 1, 5, 'ibkr_conid', '756737', true);
INSERT INTO public.instrument_identifier VALUES (6, 1, 6, 'ibkr_conid', '756738', true);
INSERT INTO public.instrument_identifier VALUES (7, 1, 7, 'ibkr_conid', '756739', true);
INSERT INTO public.instrument_identifier VALUES (8, 1, 8, 'ibkr_conid', '756740', true);
INSERT INTO public.instrument_identifier VALUES (9, 1, 9, 'ibkr_conid', '756741', true);
INSERT INTO public.instrument_identifier VALUES (10, 1, 10, 'ibkr_conid', '756742', true);
INSERT INTO public.instrument_identifier VALUES (11, 1, 11, 'ibkr_conid', '756743', true);
INSERT INTO public.instrument_identifier VALUES (12, 1, 12, 'ibkr_conid', '756744', true);
INSERT INTO public.instrument_identifier VALUES (13, 1, 13, 'ibkr_conid', '756745', true);
INSERT INTO public.instrument_identifier VALUES (14, 1, 14, 'ibkr_conid', '756746', true);
INSERT INTO public.instrument_identifier VALUES (15, 1, 15, 'ibkr_conid', '756747', true);
INSERT INTO public.instrument_identifier VALUES (16, 1, 16, 'ibkr_conid', '756748', true);
INSERT INTO public.instrument_identifier VALUES (17, 1, 17, 'ibkr_conid', '756749', true);
INSERT INTO public.instrument_identifier VALUES (18, 1, 18, 'ibkr_conid', '756750', true);
INSERT INTO public.instrument_identifier VALUES (19, 1, 19, 'ibkr_conid', '756751', true);
INSERT INTO public.instrument_identifier VALUES (20, 1, 20, 'ibkr_conid', '756752', true);
INSERT INTO public.instrument_identifier VALUES (21, 1, 21, 'ibkr_conid', '756753', true);
INSERT INTO public.lease VALUES ('gateway:1', '', '2026-11-20 14:00:57+00', 4);
INSERT INTO public.lease VALUES ('connection:1', '', '2026-11-20 14:00:57+00', 3);
INSERT INTO public.messenger VALUES (1, '2026-11-20 14:00:00+00', 0, NULL);
INSERT INTO public.portfolio VALUES (1, 1, 'P', 'USD', '2026-11-20 14:00:00+00');
INSERT INTO public.portfolio VALUES (2, 1, 'Empty', 'JPY', '2026-11-20 14:00:27+00');
INSERT INTO public.rate VALUES (1, 1, 'EUR', 'USD', '2026-11-20', 'ibkr', 1.0842, '2026-11-20 14:00:13+00');
INSERT INTO public.rate VALUES (2, 1, 'CHF', 'USD', '2026-11-20', 'ibkr', 1.1317, '2026-11-20 14:00:13+00');
INSERT INTO public.rate VALUES (3, 1, 'GBP', 'USD', '2026-11-20', 'ibkr', 1.2635, '2026-11-20 14:00:13+00');
INSERT INTO public.rate VALUES (4, 1, 'JPY', 'USD', '2026-11-20', 'ibkr', 0.006482, '2026-11-20 14:00:13+00');
INSERT INTO public.rate VALUES (5, 1, 'EUR', 'CHF', '2026-11-20', 'manual', 0.937654321, '2026-11-20 14:00:27+00');
INSERT INTO public.sync_run VALUES ('18f09a379fc4dd5b', 1, 1, 'succeeded', NULL, '2026-11-20 14:00:12+00', '2026-11-20 14:00:13+00', '2026-11-20 14:00:42+00', 26, 0, 0, 0, 0, '[]', '{"status": "agrees", "difference": "0", "currency": "USD", "likely_cause": null}', '{"empty": false, "doubts": {}, "shrunk": [], "shrunk_since": "2026-11-20T14:00:13+00:00"}', NULL, '2cdf22b0c8f844d0f2eb0c81a38a1ae52ce1eca931a0c064035d0d6cc0b76b55', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hand', NULL, NULL, NULL, NULL);
INSERT INTO public.sync_run VALUES ('4f5ccd5f055cc050', 1, 1, 'succeeded', NULL, '2026-11-20 14:00:19+00', '2026-11-20 14:00:21+00', '2026-11-20 14:00:49+00', 0, 1, 1, 24, 0, '[]', '{"status": "agrees", "difference": "0", "currency": "USD", "likely_cause": null}', '{"empty": false, "doubts": {}, "shrunk": ["756734"], "shrunk_since": "2026-11-20T14:00:20+00:00"}', NULL, '79086f83debf2892d1a53e27a0204116335600e1aabada8a2408a828b463b76e', '2cdf22b0c8f844d0f2eb0c81a38a1ae52ce1eca931a0c064035d0d6cc0b76b55', 'hand', NULL, NULL, NULL, NULL);
INSERT INTO public.sync_run VALUES ('0da94a968c476f59', 1, 1, 'failed', 'not_authenticated', '2026-11-20 14:00:27+00', '2026-11-20 14:00:27+00', '2026-11-20 14:00:57+00', 0, 0, 0, 0, 0, '[]', '{"status": "unavailable", "difference": null, "currency": null, "likely_cause": null}', NULL, '{"code": "not_authenticated", "message": "Not authenticated with IBKR.", "remedy": "Open https://localhost:5000 in your browser and log in, then try again. IBKR ends each session once a day.", "fields": {}, "retry_at": null, "sample": null}', NULL, NULL, 'hand', NULL, NULL, NULL, NULL);
INSERT INTO public."user" VALUES (1, 'owner', '2026-11-20 14:00:00+00', 2);
SELECT pg_catalog.setval('public.account_id_seq', 2, true);
SELECT pg_catalog.setval('public.account_totals_id_seq', 2, true);
SELECT pg_catalog.setval('public.cash_balance_id_seq', 6, true);
SELECT pg_catalog.setval('public.change_id_seq', 133, true);
SELECT pg_catalog.setval('public.connection_id_seq', 1, true);
SELECT pg_catalog.setval('public.daily_value_id_seq', 2, true);
SELECT pg_catalog.setval('public.gateway_id_seq', 1, true);
SELECT pg_catalog.setval('public.holding_id_seq', 22, true);
SELECT pg_catalog.setval('public.instrument_id_seq', 22, true);
SELECT pg_catalog.setval('public.instrument_identifier_id_seq', 21, true);
SELECT pg_catalog.setval('public.portfolio_id_seq', 2, true);
SELECT pg_catalog.setval('public.rate_id_seq', 5, true);
SELECT pg_catalog.setval('public.setting_id_seq', 1, false);
SELECT pg_catalog.setval('public.told_id_seq', 1, false);
SELECT pg_catalog.setval('public.user_id_seq', 1, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.account
    ADD CONSTRAINT pk_account PRIMARY KEY (id);
ALTER TABLE ONLY public.account_totals
    ADD CONSTRAINT pk_account_totals PRIMARY KEY (id);
ALTER TABLE ONLY public.cash_balance
    ADD CONSTRAINT pk_cash_balance PRIMARY KEY (id);
ALTER TABLE ONLY public.change
    ADD CONSTRAINT pk_change PRIMARY KEY (id);
ALTER TABLE ONLY public.connection
    ADD CONSTRAINT pk_connection PRIMARY KEY (id);
ALTER TABLE ONLY public.daily_value
    ADD CONSTRAINT pk_daily_value PRIMARY KEY (id);
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT pk_gateway PRIMARY KEY (id);
ALTER TABLE ONLY public.holding
    ADD CONSTRAINT pk_holding PRIMARY KEY (id);
ALTER TABLE ONLY public.instrument
    ADD CONSTRAINT pk_instrument PRIMARY KEY (id);
ALTER TABLE ONLY public.instrument_identifier
    ADD CONSTRAINT pk_instrument_identifier PRIMARY KEY (id);
ALTER TABLE ONLY public.lease
    ADD CONSTRAINT pk_lease PRIMARY KEY (name);
ALTER TABLE ONLY public.messenger
    ADD CONSTRAINT pk_messenger PRIMARY KEY (owner_id);
ALTER TABLE ONLY public.portfolio
    ADD CONSTRAINT pk_portfolio PRIMARY KEY (id);
ALTER TABLE ONLY public.rate
    ADD CONSTRAINT pk_rate PRIMARY KEY (id);
ALTER TABLE ONLY public.setting
    ADD CONSTRAINT pk_setting PRIMARY KEY (id);
ALTER TABLE ONLY public.sync_run
    ADD CONSTRAINT pk_sync_run PRIMARY KEY (id);
ALTER TABLE ONLY public.told
    ADD CONSTRAINT pk_told PRIMARY KEY (id);
ALTER TABLE ONLY public."user"
    ADD CONSTRAINT pk_user PRIMARY KEY (id);
ALTER TABLE ONLY public.account
    ADD CONSTRAINT uq_account_portfolio_id_name UNIQUE (portfolio_id, name);
ALTER TABLE ONLY public.account_totals
    ADD CONSTRAINT uq_account_totals_account_id UNIQUE (account_id);
ALTER TABLE ONLY public.cash_balance
    ADD CONSTRAINT uq_cash_balance_account_id_currency_source_source_account UNIQUE (account_id, currency, source, source_account);
ALTER TABLE ONLY public.connection
    ADD CONSTRAINT uq_connection_account_id UNIQUE (account_id);
ALTER TABLE ONLY public.connection
    ADD CONSTRAINT uq_connection_owner_id_broker_broker_account UNIQUE (owner_id, broker, broker_account);
ALTER TABLE ONLY public.daily_value
    ADD CONSTRAINT uq_daily_value_account_id_day UNIQUE (account_id, day);
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT uq_gateway_owner_id_address UNIQUE (owner_id, address);
ALTER TABLE ONLY public.instrument_identifier
    ADD CONSTRAINT uq_instrument_identifier_instrument_id_scheme UNIQUE (instrument_id, scheme);
ALTER TABLE ONLY public.portfolio
    ADD CONSTRAINT uq_portfolio_owner_id_name UNIQUE (owner_id, name);
ALTER TABLE ONLY public.rate
    ADD CONSTRAINT uq_rate_owner_id_from_currency_to_currency_day_source UNIQUE (owner_id, from_currency, to_currency, day, source);
ALTER TABLE ONLY public.setting
    ADD CONSTRAINT uq_setting_owner_id_key UNIQUE (owner_id, key);
ALTER TABLE ONLY public.told
    ADD CONSTRAINT uq_told_owner_id_subject UNIQUE (owner_id, subject);
ALTER TABLE ONLY public."user"
    ADD CONSTRAINT uq_user_name UNIQUE (name);
CREATE INDEX ix_change_run ON public.change USING btree (run_id);
CREATE INDEX ix_instrument_owner_symbol ON public.instrument USING btree (owner_id, symbol);
CREATE INDEX ix_sync_run_account_started ON public.sync_run USING btree (account_id, started_at);
CREATE INDEX ix_sync_run_concerns ON public.sync_run USING btree (concerns);
CREATE UNIQUE INDEX uq_holding_open ON public.holding USING btree (account_id, instrument_id, source, source_account) WHERE (closed_at IS NULL);
CREATE UNIQUE INDEX uq_instrument_identifier_key ON public.instrument_identifier USING btree (owner_id, scheme, value) WHERE is_key;
CREATE UNIQUE INDEX uq_sync_run_running ON public.sync_run USING btree (account_id) WHERE ((status)::text = 'running'::text);
ALTER TABLE ONLY public.account
    ADD CONSTRAINT fk_account_portfolio_id FOREIGN KEY (portfolio_id) REFERENCES public.portfolio(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.account_totals
    ADD CONSTRAINT fk_account_totals_account_id FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.cash_balance
    ADD CONSTRAINT fk_cash_balance_account_id FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.change
    ADD CONSTRAINT fk_change_holding_id FOREIGN KEY (holding_id) REFERENCES public.holding(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.change
    ADD CONSTRAINT fk_change_run_id FOREIGN KEY (run_id) REFERENCES public.sync_run(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.connection
    ADD CONSTRAINT fk_connection_account_id FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.connection
    ADD CONSTRAINT fk_connection_gateway_id FOREIGN KEY (gateway_id) REFERENCES public.gateway(id) ON DELETE RESTRICT;
ALTER TABLE ONLY public.connection
    ADD CONSTRAINT fk_connection_owner_id FOREIGN KEY (owner_id) REFERENCES public."user"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.daily_value
    ADD CONSTRAINT fk_daily_value_account_id FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.gateway
    ADD CONSTRAINT fk_gateway_owner_id FOREIGN KEY (owner_id) REFERENCES public."user"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.holding
    ADD CONSTRAINT fk_holding_account_id FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.holding
    ADD CONSTRAINT fk_holding_instrument_id FOREIGN KEY (instrument_id) REFERENCES public.instrument(id);
ALTER TABLE ONLY public.instrument_identifier
    ADD CONSTRAINT fk_instrument_identifier_instrument_id FOREIGN KEY (instrument_id) REFERENCES public.instrument(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.instrument_identifier
    ADD CONSTRAINT fk_instrument_identifier_owner_id FOREIGN KEY (owner_id) REFERENCES public."user"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.instrument
    ADD CONSTRAINT fk_instrument_owner_id FOREIGN KEY (owner_id) REFERENCES public."user"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.messenger
    ADD CONSTRAINT fk_messenger_owner_id FOREIGN KEY (owner_id) REFERENCES public."user"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.portfolio
    ADD CONSTRAINT fk_portfolio_owner_id FOREIGN KEY (owner_id) REFERENCES public."user"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.rate
    ADD CONSTRAINT fk_rate_owner_id FOREIGN KEY (owner_id) REFERENCES public."user"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.setting
    ADD CONSTRAINT fk_setting_owner_id FOREIGN KEY (owner_id) REFERENCES public."user"(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sync_run
    ADD CONSTRAINT fk_sync_run_account_id FOREIGN KEY (account_id) REFERENCES public.account(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sync_run
    ADD CONSTRAINT fk_sync_run_concerns FOREIGN KEY (concerns) REFERENCES public.sync_run(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.sync_run
    ADD CONSTRAINT fk_sync_run_connection_id FOREIGN KEY (connection_id) REFERENCES public.connection(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.told
    ADD CONSTRAINT fk_told_owner_id FOREIGN KEY (owner_id) REFERENCES public."user"(id) ON DELETE CASCADE;
