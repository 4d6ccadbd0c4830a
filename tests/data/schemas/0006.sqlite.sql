BEGIN TRANSACTION;
CREATE TABLE account (
	id INTEGER NOT NULL, 
	portfolio_id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	currency VARCHAR(12) NOT NULL, 
	notes TEXT, 
	mode VARCHAR(40) NOT NULL, 
	synced_at DATETIME, 
	attention_code VARCHAR(40), 
	revision INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, likely_twins INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_account PRIMARY KEY (id), 
	CONSTRAINT ck_account_mode_is_known CHECK (mode IN ('manual', 'connected')), 
	CONSTRAINT fk_account_portfolio_id FOREIGN KEY(portfolio_id) REFERENCES portfolio (id) ON DELETE CASCADE, 
	CONSTRAINT uq_account_portfolio_id_name UNIQUE (portfolio_id, name)
);
INSERT INTO "account" VALUES(1,1,'A','USD',NULL,'connected','2026-11-20 14:00:20.000000','not_authenticated',2,'2026-11-20 14:00:00.000000',0);
INSERT INTO "account" VALUES(2,1,'By hand – Ä','CHF','kept "by hand"; ''since'' 2019
second line','manual',NULL,NULL,2,'2026-11-20 14:00:27.000000',0);
CREATE TABLE account_totals (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	state VARCHAR(80) NOT NULL, 
	currency VARCHAR(12) NOT NULL, 
	market_value TEXT, 
	cash TEXT, 
	accrued_interest TEXT, 
	accrued_dividends TEXT, 
	net_liquidation TEXT, 
	unrealized_pnl TEXT, 
	cost TEXT, 
	exposure TEXT, 
	incomplete JSON NOT NULL, 
	broker_net_liquidation TEXT, 
	broker_currency VARCHAR(12), by_kind JSON DEFAULT '{}' NOT NULL, by_currency JSON DEFAULT '{}' NOT NULL, 
	CONSTRAINT pk_account_totals PRIMARY KEY (id), 
	CONSTRAINT ck_account_totals_accrued_dividends_is_a_number CHECK (upper(CAST(accrued_dividends AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_account_totals_accrued_interest_is_a_number CHECK (upper(CAST(accrued_interest AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_account_totals_broker_net_liquidation_is_a_number CHECK (upper(CAST(broker_net_liquidation AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_account_totals_cash_is_a_number CHECK (upper(CAST(cash AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_account_totals_cost_is_a_number CHECK (upper(CAST(cost AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_account_totals_exposure_is_a_number CHECK (upper(CAST(exposure AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_account_totals_market_value_is_a_number CHECK (upper(CAST(market_value AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_account_totals_net_liquidation_is_a_number CHECK (upper(CAST(net_liquidation AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_account_totals_unrealized_pnl_is_a_number CHECK (upper(CAST(unrealized_pnl AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT fk_account_totals_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE, 
	CONSTRAINT uq_account_totals_account_id UNIQUE (account_id)
);
INSERT INTO "account_totals" VALUES(1,1,'2:USD:2','USD','638037.147709','177179.761863','-40.399265','1334.537136','816511.047443','88342.46551247','549694.68219653','649427.547709','[]','816511.047443','USD','{"etf": "359557.955", "stock": "278479.192709", "cash": "178473.899734"}','{"USD": "542417.19793", "EUR": "238937.101884", "CHF": "30466.461749", "GBP": "12792.78588", "JPY": "-8102.5"}');
INSERT INTO "account_totals" VALUES(2,2,'2:CHF:2','CHF',NULL,'-1157597.91662635269','0','0','-1157597.91662635269',NULL,'0',NULL,'["without 1 holding: no price", "P&L without 1 holding: cost or price not known"]',NULL,NULL,'{"cash": "-1157597.91662635269"}','{"EUR": "-1157597.91662635269"}');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0006');
CREATE TABLE "cash_balance" (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	currency VARCHAR(12) NOT NULL, 
	source VARCHAR(40) NOT NULL, 
	source_account VARCHAR(40) NOT NULL, 
	amount TEXT NOT NULL, 
	settled TEXT, 
	accrued_interest TEXT, 
	accrued_dividends TEXT, 
	twin VARCHAR(40) DEFAULT 'none' NOT NULL, 
	CONSTRAINT pk_cash_balance PRIMARY KEY (id), 
	CONSTRAINT ck_cash_balance_accrued_dividends_is_a_number CHECK (upper(CAST(accrued_dividends AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT uq_cash_balance_account_id_currency_source_source_account UNIQUE (account_id, currency, source, source_account), 
	CONSTRAINT ck_cash_balance_amount_is_a_number CHECK (upper(CAST(amount AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_cash_balance_accrued_interest_is_a_number CHECK (upper(CAST(accrued_interest AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT fk_cash_balance_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE, 
	CONSTRAINT ck_cash_balance_settled_is_a_number CHECK (upper(CAST(settled AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_cash_balance_twin_is_known CHECK (twin IN ('none', 'likely', 'settled'))
);
INSERT INTO "cash_balance" VALUES(1,1,'USD','ibkr','U1234567','-18402.77','-18402.77','-41.17','1104.6','none');
INSERT INTO "cash_balance" VALUES(2,1,'EUR','ibkr','U1234567','185791.54','185791.54','0','212.08','none');
INSERT INTO "cash_balance" VALUES(3,1,'CHF','ibkr','U1234567','1530.25','1530.25','0','0','none');
INSERT INTO "cash_balance" VALUES(4,1,'GBP','ibkr','U1234567','410.02','410.02','0.61','0','none');
INSERT INTO "cash_balance" VALUES(5,1,'JPY','ibkr','U1234567','-1250000','-1250000','0','0','none');
INSERT INTO "cash_balance" VALUES(6,2,'EUR','manual','','-1234567.89',NULL,NULL,NULL,'none');
CREATE TABLE change (
	id INTEGER NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	holding_id INTEGER, 
	subject VARCHAR(40) NOT NULL, 
	label VARCHAR(120) NOT NULL, 
	field VARCHAR(40) NOT NULL, 
	old TEXT, 
	new TEXT, source VARCHAR(40) DEFAULT 'ibkr' NOT NULL, source_account VARCHAR(40) DEFAULT '' NOT NULL, beside JSON, 
	CONSTRAINT pk_change PRIMARY KEY (id), 
	CONSTRAINT fk_change_holding_id FOREIGN KEY(holding_id) REFERENCES holding (id) ON DELETE SET NULL, 
	CONSTRAINT fk_change_run_id FOREIGN KEY(run_id) REFERENCES sync_run (id) ON DELETE CASCADE
);
INSERT INTO "change" VALUES(1,'3c6e14d27634132e',1,'holding','SPY','quantity',NULL,'440','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(2,'3c6e14d27634132e',1,'holding','SPY','average_price',NULL,'596.3936','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(3,'3c6e14d27634132e',1,'holding','SPY','symbol',NULL,'SPY','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(4,'3c6e14d27634132e',1,'holding','SPY','kind',NULL,'etf','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(5,'3c6e14d27634132e',1,'holding','SPY','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(6,'3c6e14d27634132e',1,'holding','SPY','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(7,'3c6e14d27634132e',2,'holding','VWCE','quantity',NULL,'1250.5','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(8,'3c6e14d27634132e',2,'holding','VWCE','average_price',NULL,'126.3655','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(9,'3c6e14d27634132e',2,'holding','VWCE','symbol',NULL,'VWCE','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(10,'3c6e14d27634132e',2,'holding','VWCE','kind',NULL,'etf','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(11,'3c6e14d27634132e',2,'holding','VWCE','currency',NULL,'EUR','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(12,'3c6e14d27634132e',2,'holding','VWCE','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(13,'3c6e14d27634132e',3,'holding','NVDA','quantity',NULL,'400','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(14,'3c6e14d27634132e',3,'holding','NVDA','average_price',NULL,'145.25725','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(15,'3c6e14d27634132e',3,'holding','NVDA','symbol',NULL,'NVDA','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(16,'3c6e14d27634132e',3,'holding','NVDA','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(17,'3c6e14d27634132e',3,'holding','NVDA','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(18,'3c6e14d27634132e',3,'holding','NVDA','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(19,'3c6e14d27634132e',4,'holding','QQQ','quantity',NULL,'85','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(20,'3c6e14d27634132e',4,'holding','QQQ','average_price',NULL,'501.7722','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(21,'3c6e14d27634132e',4,'holding','QQQ','symbol',NULL,'QQQ','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(22,'3c6e14d27634132e',4,'holding','QQQ','kind',NULL,'etf','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(23,'3c6e14d27634132e',4,'holding','QQQ','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(24,'3c6e14d27634132e',4,'holding','QQQ','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(25,'3c6e14d27634132e',5,'holding','IEMG','quantity',NULL,'310.75','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(26,'3c6e14d27634132e',5,'holding','IEMG','average_price',NULL,'58.1204','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(27,'3c6e14d27634132e',5,'holding','IEMG','symbol',NULL,'IEMG','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(28,'3c6e14d27634132e',5,'holding','IEMG','kind',NULL,'etf','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(29,'3c6e14d27634132e',5,'holding','IEMG','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(30,'3c6e14d27634132e',5,'holding','IEMG','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(31,'3c6e14d27634132e',6,'holding','AAPL','quantity',NULL,'150','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(32,'3c6e14d27634132e',6,'holding','AAPL','average_price',NULL,'189.9814','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(33,'3c6e14d27634132e',6,'holding','AAPL','symbol',NULL,'AAPL','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(34,'3c6e14d27634132e',6,'holding','AAPL','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(35,'3c6e14d27634132e',6,'holding','AAPL','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(36,'3c6e14d27634132e',6,'holding','AAPL','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(37,'3c6e14d27634132e',7,'holding','MSFT','quantity',NULL,'60','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(38,'3c6e14d27634132e',7,'holding','MSFT','average_price',NULL,'398.5531','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(39,'3c6e14d27634132e',7,'holding','MSFT','symbol',NULL,'MSFT','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(40,'3c6e14d27634132e',7,'holding','MSFT','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(41,'3c6e14d27634132e',7,'holding','MSFT','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(42,'3c6e14d27634132e',7,'holding','MSFT','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(43,'3c6e14d27634132e',8,'holding','BRK B','quantity',NULL,'35','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(44,'3c6e14d27634132e',8,'holding','BRK B','average_price',NULL,'421.1185','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(45,'3c6e14d27634132e',8,'holding','BRK B','symbol',NULL,'BRK B','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(46,'3c6e14d27634132e',8,'holding','BRK B','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(47,'3c6e14d27634132e',8,'holding','BRK B','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(48,'3c6e14d27634132e',8,'holding','BRK B','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(49,'3c6e14d27634132e',9,'holding','JNJ','quantity',NULL,'42.3187','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(50,'3c6e14d27634132e',9,'holding','JNJ','average_price',NULL,'158.7703','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(51,'3c6e14d27634132e',9,'holding','JNJ','symbol',NULL,'JNJ','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(52,'3c6e14d27634132e',9,'holding','JNJ','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(53,'3c6e14d27634132e',9,'holding','JNJ','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(54,'3c6e14d27634132e',9,'holding','JNJ','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(55,'3c6e14d27634132e',10,'holding','PG','quantity',NULL,'55','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(56,'3c6e14d27634132e',10,'holding','PG','average_price',NULL,'161.9927','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(57,'3c6e14d27634132e',10,'holding','PG','symbol',NULL,'PG','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(58,'3c6e14d27634132e',10,'holding','PG','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(59,'3c6e14d27634132e',10,'holding','PG','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(60,'3c6e14d27634132e',10,'holding','PG','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(61,'3c6e14d27634132e',11,'holding','T','quantity',NULL,'400','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(62,'3c6e14d27634132e',11,'holding','T','average_price',NULL,'22.3391','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(63,'3c6e14d27634132e',11,'holding','T','symbol',NULL,'T','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(64,'3c6e14d27634132e',11,'holding','T','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(65,'3c6e14d27634132e',11,'holding','T','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(66,'3c6e14d27634132e',11,'holding','T','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(67,'3c6e14d27634132e',12,'holding','TSM','quantity',NULL,'75','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(68,'3c6e14d27634132e',12,'holding','TSM','average_price',NULL,'182.4407','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(69,'3c6e14d27634132e',12,'holding','TSM','symbol',NULL,'TSM','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(70,'3c6e14d27634132e',12,'holding','TSM','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(71,'3c6e14d27634132e',12,'holding','TSM','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(72,'3c6e14d27634132e',12,'holding','TSM','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(73,'3c6e14d27634132e',13,'holding','NVO','quantity',NULL,'-120','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(74,'3c6e14d27634132e',13,'holding','NVO','average_price',NULL,'71.8802','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(75,'3c6e14d27634132e',13,'holding','NVO','symbol',NULL,'NVO','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(76,'3c6e14d27634132e',13,'holding','NVO','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(77,'3c6e14d27634132e',13,'holding','NVO','currency',NULL,'USD','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(78,'3c6e14d27634132e',13,'holding','NVO','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(79,'3c6e14d27634132e',14,'holding','ASML','quantity',NULL,'12','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(80,'3c6e14d27634132e',14,'holding','ASML','average_price',NULL,'688.2145','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(81,'3c6e14d27634132e',14,'holding','ASML','symbol',NULL,'ASML','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(82,'3c6e14d27634132e',14,'holding','ASML','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(83,'3c6e14d27634132e',14,'holding','ASML','currency',NULL,'EUR','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(84,'3c6e14d27634132e',14,'holding','ASML','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(85,'3c6e14d27634132e',15,'holding','SAP','quantity',NULL,'48','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(86,'3c6e14d27634132e',15,'holding','SAP','average_price',NULL,'172.6618','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(87,'3c6e14d27634132e',15,'holding','SAP','symbol',NULL,'SAP','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(88,'3c6e14d27634132e',15,'holding','SAP','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(89,'3c6e14d27634132e',15,'holding','SAP','currency',NULL,'EUR','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(90,'3c6e14d27634132e',15,'holding','SAP','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(91,'3c6e14d27634132e',16,'holding','MC','quantity',NULL,'9','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(92,'3c6e14d27634132e',16,'holding','MC','average_price',NULL,'702.1133','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(93,'3c6e14d27634132e',16,'holding','MC','symbol',NULL,'MC','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(94,'3c6e14d27634132e',16,'holding','MC','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(95,'3c6e14d27634132e',16,'holding','MC','currency',NULL,'EUR','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(96,'3c6e14d27634132e',16,'holding','MC','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(97,'3c6e14d27634132e',17,'holding','SIE','quantity',NULL,'40','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(98,'3c6e14d27634132e',17,'holding','SIE','average_price',NULL,'171.5094','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(99,'3c6e14d27634132e',17,'holding','SIE','symbol',NULL,'SIE','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(100,'3c6e14d27634132e',17,'holding','SIE','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(101,'3c6e14d27634132e',17,'holding','SIE','currency',NULL,'EUR','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(102,'3c6e14d27634132e',17,'holding','SIE','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(103,'3c6e14d27634132e',18,'holding','NESN','quantity',NULL,'130','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(104,'3c6e14d27634132e',18,'holding','NESN','average_price',NULL,'95.3371','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(105,'3c6e14d27634132e',18,'holding','NESN','symbol',NULL,'NESN','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(106,'3c6e14d27634132e',18,'holding','NESN','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(107,'3c6e14d27634132e',18,'holding','NESN','currency',NULL,'CHF','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(108,'3c6e14d27634132e',18,'holding','NESN','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(109,'3c6e14d27634132e',19,'holding','ROG','quantity',NULL,'28','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(110,'3c6e14d27634132e',19,'holding','ROG','average_price',NULL,'261.4488','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(111,'3c6e14d27634132e',19,'holding','ROG','symbol',NULL,'ROG','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(112,'3c6e14d27634132e',19,'holding','ROG','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(113,'3c6e14d27634132e',19,'holding','ROG','currency',NULL,'CHF','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(114,'3c6e14d27634132e',19,'holding','ROG','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(115,'3c6e14d27634132e',20,'holding','NOVN','quantity',NULL,'64','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(116,'3c6e14d27634132e',20,'holding','NOVN','average_price',NULL,'89.6614','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(117,'3c6e14d27634132e',20,'holding','NOVN','symbol',NULL,'NOVN','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(118,'3c6e14d27634132e',20,'holding','NOVN','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(119,'3c6e14d27634132e',20,'holding','NOVN','currency',NULL,'CHF','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(120,'3c6e14d27634132e',20,'holding','NOVN','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(121,'3c6e14d27634132e',21,'holding','SHEL','quantity',NULL,'350','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(122,'3c6e14d27634132e',21,'holding','SHEL','average_price',NULL,'24.1108','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(123,'3c6e14d27634132e',21,'holding','SHEL','symbol',NULL,'SHEL','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(124,'3c6e14d27634132e',21,'holding','SHEL','kind',NULL,'stock','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(125,'3c6e14d27634132e',21,'holding','SHEL','currency',NULL,'GBP','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(126,'3c6e14d27634132e',21,'holding','SHEL','multiplier',NULL,'1','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(127,'3c6e14d27634132e',NULL,'cash','CHF','amount',NULL,'1530.25','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(128,'3c6e14d27634132e',NULL,'cash','EUR','amount',NULL,'8120.5','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(129,'3c6e14d27634132e',NULL,'cash','GBP','amount',NULL,'410.02','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(130,'3c6e14d27634132e',NULL,'cash','JPY','amount',NULL,'-1250000','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(131,'3c6e14d27634132e',NULL,'cash','USD','amount',NULL,'-18402.77','ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(132,'b9ff943fb4f34eb3',2,'holding','VWCE','quantity','1250.5',NULL,'ibkr','U1234567',NULL);
INSERT INTO "change" VALUES(133,'b9ff943fb4f34eb3',NULL,'cash','EUR','amount','8120.5','185791.54','ibkr','U1234567',NULL);
CREATE TABLE "connection" (
	id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	broker VARCHAR(40) NOT NULL, 
	broker_account VARCHAR(40) NOT NULL, 
	username VARCHAR(100), 
	manual_holdings VARCHAR(40) NOT NULL, 
	sync_enabled BOOLEAN NOT NULL, 
	created_at DATETIME NOT NULL, 
	replaced_holdings JSON DEFAULT '[]' NOT NULL, 
	replaced_cash JSON DEFAULT '[]' NOT NULL, 
	next_run_at DATETIME, 
	paused_at DATETIME, 
	paused_state_at DATETIME, 
	futures_profit_counts BOOLEAN, 
	CONSTRAINT pk_connection PRIMARY KEY (id), 
	CONSTRAINT fk_connection_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE, 
	CONSTRAINT fk_connection_gateway_id FOREIGN KEY(gateway_id) REFERENCES gateway (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_connection_account_id UNIQUE (account_id), 
	CONSTRAINT fk_connection_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE RESTRICT, 
	CONSTRAINT uq_connection_owner_id_broker_broker_account UNIQUE (owner_id, broker, broker_account)
);
INSERT INTO "connection" VALUES(1,1,1,1,'ibkr','U1234567',NULL,'replace_duplicates',1,'2026-11-20 14:00:06.000000','[]','[]',NULL,NULL,NULL,NULL);
CREATE TABLE daily_value (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	day DATE NOT NULL, 
	currency VARCHAR(12) NOT NULL, 
	net_liquidation TEXT, 
	read_at DATETIME NOT NULL, 
	CONSTRAINT pk_daily_value PRIMARY KEY (id), 
	CONSTRAINT ck_daily_value_net_liquidation_is_a_number CHECK (upper(CAST(net_liquidation AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT fk_daily_value_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE, 
	CONSTRAINT uq_daily_value_account_id_day UNIQUE (account_id, day)
);
INSERT INTO "daily_value" VALUES(1,1,'2026-11-20','USD','816511.047443','2026-11-20 14:00:27.000000');
INSERT INTO "daily_value" VALUES(2,2,'2026-11-20','CHF','-1157597.91662635269','2026-11-20 14:00:27.000000');
CREATE TABLE gateway (
	id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	broker VARCHAR(40) NOT NULL, 
	address VARCHAR(300) NOT NULL, 
	login_address VARCHAR(300) NOT NULL, 
	certificate_pem TEXT, 
	certificate_fingerprint VARCHAR(64), 
	silent_until DATETIME, 
	created_at DATETIME NOT NULL, last_calls JSON DEFAULT '{}' NOT NULL, state VARCHAR(40) DEFAULT 'unknown' NOT NULL, state_since DATETIME, message TEXT, remedy TEXT, session JSON, contacted_at DATETIME, next_contact_at DATETIME, failures INTEGER DEFAULT '0' NOT NULL, said VARCHAR(40), 
	CONSTRAINT pk_gateway PRIMARY KEY (id), 
	CONSTRAINT fk_gateway_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE, 
	CONSTRAINT uq_gateway_owner_id_address UNIQUE (owner_id, address)
);
INSERT INTO "gateway" VALUES(1,1,'ibkr','https://localhost:5000','https://localhost:5000','-----BEGIN CERTIFICATE-----
MIIBFjCBvaADAgECAgEHMAoGCCqGSM49BAMCMBQxEjAQBgNVBAMMCVNpbXVsYXRl
ZDAgFw0yMDAxMDEwMDAwMDBaGA8yMTAwMDEwMTAwMDAwMFowFDESMBAGA1UEAwwJ
U2ltdWxhdGVkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErkeNCZAjL3Mzet/9
s9FKwP+qf/lccKzJLbWGgzVB1TwxRLjjcXrJDJc5DDq57Cv1gvYX3BtRobNxrK8C
D/vMaDAKBggqhkjOPQQDAgNIADBFAiAYKf3bijRsBxxXdn+y+dFARjDTUKyKfymb
4AopqKiJFwIhAJR8N/0Id0hhBNifzoz6dbRRYZw/OfpgFzgK0h4n/BwB
-----END CERTIFICATE-----
','20af5ed6e71fc77b0243488c2023cde681a4303d4518153cfddf5c9504848405',NULL,'2026-11-20 14:00:00.000000','{"*": "2026-11-20T14:00:27+00:00", "/portfolio/accounts": "2026-11-20T14:00:19+00:00", "/tickle": "2026-11-20T14:00:27+00:00", "/sso/validate": "2026-11-20T14:00:06+00:00"}','not_authenticated','2026-11-20 14:00:27.000000','Not authenticated with IBKR.','Open https://localhost:5000 in your browser and log in, then try again. IBKR ends each session once a day.',NULL,'2026-11-20 14:00:27.000000','2026-11-20 14:01:27.000000',1,'not_authenticated');
CREATE TABLE "holding" (
	id INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	instrument_id INTEGER NOT NULL, 
	source VARCHAR(40) NOT NULL, 
	source_account VARCHAR(40) NOT NULL, 
	quantity TEXT NOT NULL, 
	average_price TEXT, 
	opened_at DATETIME NOT NULL, 
	closed_at DATETIME, 
	price TEXT, 
	market_value TEXT, 
	unrealized_pnl TEXT, 
	quoted_at DATETIME, 
	notes TEXT, 
	display_name VARCHAR(200), 
	category VARCHAR(100), 
	target_weight TEXT, 
	twin VARCHAR(40) DEFAULT 'none' NOT NULL, 
	CONSTRAINT pk_holding PRIMARY KEY (id), 
	CONSTRAINT ck_holding_unrealized_pnl_is_a_number CHECK (upper(CAST(unrealized_pnl AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT fk_holding_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE, 
	CONSTRAINT ck_holding_price_is_a_number CHECK (upper(CAST(price AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_holding_quantity_is_a_number CHECK (upper(CAST(quantity AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT fk_holding_instrument_id FOREIGN KEY(instrument_id) REFERENCES instrument (id), 
	CONSTRAINT ck_holding_market_value_is_a_number CHECK (upper(CAST(market_value AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_holding_target_weight_is_a_number CHECK (upper(CAST(target_weight AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_holding_average_price_is_a_number CHECK (upper(CAST(average_price AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_holding_twin_is_known CHECK (twin IN ('none', 'likely', 'settled'))
);
INSERT INTO "holding" VALUES(1,1,1,'ibkr','U1234567','440','596.3936','2026-11-20 14:00:13.000000',NULL,'656.25','288750','26336.816','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(2,1,2,'ibkr','U1234567','1250.5','126.3655','2026-11-20 14:00:13.000000','2026-11-20 14:00:20.000000','142.08','177671.04','19650.98225','2026-11-20 14:00:13.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(3,1,3,'ibkr','U1234567','400','145.25725','2026-11-20 14:00:13.000000',NULL,'178.4','71360','13257.1','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(4,1,4,'ibkr','U1234567','85','501.7722','2026-11-20 14:00:13.000000',NULL,'588.31','50006.35','7355.713','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(5,1,5,'ibkr','U1234567','310.75','58.1204','2026-11-20 14:00:13.000000',NULL,'66.94','20801.605','2740.6907','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(6,1,6,'ibkr','U1234567','150','189.9814','2026-11-20 14:00:13.000000',NULL,'271.49','40723.5','12226.29','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(7,1,7,'ibkr','U1234567','60','398.5531','2026-11-20 14:00:13.000000',NULL,'472.12','28327.2','4414.014','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(8,1,8,'ibkr','U1234567','35','421.1185','2026-11-20 14:00:13.000000',NULL,'504.04','17641.4','2902.2525','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(9,1,9,'ibkr','U1234567','42.3187','158.7703','2026-11-20 14:00:13.000000',NULL,'203.9','8628.78293','1909.83023539','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(10,1,10,'ibkr','U1234567','55','161.9927','2026-11-20 14:00:13.000000',NULL,'150.68','8287.4','-622.1985','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(11,1,11,'ibkr','U1234567','400','22.3391','2026-11-20 14:00:13.000000',NULL,'25.74','10296','1360.36','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(12,1,12,'ibkr','U1234567','75','182.4407','2026-11-20 14:00:13.000000',NULL,'275.06','20629.5','6946.4475','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(13,1,13,'ibkr','U1234567','-120','71.8802','2026-11-20 14:00:13.000000',NULL,'47.46','-5695.2','2930.424','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(14,1,14,'ibkr','U1234567','12','688.2145','2026-11-20 14:00:13.000000',NULL,'842.7','10112.4','1853.826','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(15,1,15,'ibkr','U1234567','48','172.6618','2026-11-20 14:00:13.000000',NULL,'204.05','9794.4','1506.6336','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(16,1,16,'ibkr','U1234567','9','702.1133','2026-11-20 14:00:13.000000',NULL,'617.4','5556.6','-762.4197','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(17,1,17,'ibkr','U1234567','40','171.5094','2026-11-20 14:00:13.000000',NULL,'222.85','8914','2053.624','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(18,1,18,'ibkr','U1234567','130','95.3371','2026-11-20 14:00:13.000000',NULL,'79.92','10389.6','-2004.223','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(19,1,19,'ibkr','U1234567','28','261.4488','2026-11-20 14:00:13.000000',NULL,'300.6','8416.8','1096.2336','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(20,1,20,'ibkr','U1234567','64','89.6614','2026-11-20 14:00:13.000000',NULL,'102.88','6584.32','845.9904','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(21,1,21,'ibkr','U1234567','350','24.1108','2026-11-20 14:00:13.000000',NULL,'27.755','9714.25','1275.47','2026-11-20 14:00:20.000000',NULL,NULL,NULL,NULL,'none');
INSERT INTO "holding" VALUES(22,2,22,'manual','','0.123456789012345678','61234.56','2026-11-20 14:00:27.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'none');
CREATE TABLE instrument (
	id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	source VARCHAR(40) NOT NULL, 
	symbol VARCHAR(100) NOT NULL, 
	name VARCHAR(200), 
	kind VARCHAR(40) NOT NULL, 
	currency VARCHAR(12) NOT NULL, 
	multiplier TEXT NOT NULL, 
	exchange VARCHAR(40), 
	expiry DATE, 
	strike TEXT, 
	option_right VARCHAR(4), 
	underlying VARCHAR(100), 
	CONSTRAINT pk_instrument PRIMARY KEY (id), 
	CONSTRAINT ck_instrument_option_right_is_known CHECK (option_right IN ('call', 'put')), 
	CONSTRAINT ck_instrument_multiplier_is_a_number CHECK (upper(CAST(multiplier AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_instrument_strike_is_a_number CHECK (upper(CAST(strike AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT fk_instrument_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE
);
INSERT INTO "instrument" VALUES(1,1,'ibkr','SPY','SPDR S&P 500 ETF TRUST','etf','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(2,1,'ibkr','VWCE','VANGUARD FTSE ALL-WORLD ACC','etf','EUR','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(3,1,'ibkr','NVDA','NVIDIA CORP','stock','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(4,1,'ibkr','QQQ','INVESCO QQQ TRUST SERIES 1','etf','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(5,1,'ibkr','IEMG','ISHARES CORE MSCI EMERGING','etf','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(6,1,'ibkr','AAPL','APPLE INC','stock','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(7,1,'ibkr','MSFT','MICROSOFT CORP','stock','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(8,1,'ibkr','BRK B','BERKSHIRE HATHAWAY INC-CL B','stock','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(9,1,'ibkr','JNJ','JOHNSON & JOHNSON','stock','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(10,1,'ibkr','PG','PROCTER & GAMBLE CO/THE','stock','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(11,1,'ibkr','T','AT&T INC','stock','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(12,1,'ibkr','TSM','TAIWAN SEMICONDUCTOR-SP ADR','stock','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(13,1,'ibkr','NVO','NOVO-NORDISK A/S-SPONS ADR','stock','USD','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(14,1,'ibkr','ASML','ASML HOLDING NV','stock','EUR','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(15,1,'ibkr','SAP','SAP SE','stock','EUR','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(16,1,'ibkr','MC','LVMH MOET HENNESSY LOUIS VUI','stock','EUR','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(17,1,'ibkr','SIE','SIEMENS AG-REG','stock','EUR','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(18,1,'ibkr','NESN','NESTLE SA-REG','stock','CHF','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(19,1,'ibkr','ROG','ROCHE HOLDING AG-GENUSSCHEIN','stock','CHF','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(20,1,'ibkr','NOVN','NOVARTIS AG-REG','stock','CHF','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(21,1,'ibkr','SHEL','SHELL PLC','stock','GBP','1','NYSE',NULL,NULL,NULL,NULL);
INSERT INTO "instrument" VALUES(22,1,'manual','GOLD','Bars','other','CHF','1',NULL,NULL,NULL,NULL,NULL);
CREATE TABLE instrument_identifier (
	id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	instrument_id INTEGER NOT NULL, 
	scheme VARCHAR(40) NOT NULL, 
	value VARCHAR(100) NOT NULL, 
	is_key BOOLEAN NOT NULL, 
	CONSTRAINT pk_instrument_identifier PRIMARY KEY (id), 
	CONSTRAINT fk_instrument_identifier_instrument_id FOREIGN KEY(instrument_id) REFERENCES instrument (id) ON DELETE CASCADE, 
	CONSTRAINT fk_instrument_identifier_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE, 
	CONSTRAINT uq_instrument_identifier_instrument_id_scheme UNIQUE (instrument_id, scheme)
);
INSERT INTO "instrument_identifier" VALUES(1,1,1,'ibkr_conid','756733',1);
INSERT INTO "instrument_identifier" VALUES(2,1,2,'ibkr_conid','756734',1);
INSERT INTO "instrument_identifier" VALUES(3,1,3,'ibkr_conid','756735',1);
INSERT INTO "instrument_identifier" VALUES(4,1,4,'ibkr_conid','756736',1);
INSERT INTO "instrument_identifier" VALUES(5,1,5,'ibkr_conid','756737',1);
INSERT INTO "instrument_identifier" VALUES(6,1,6,'ibkr_conid','756738',1);
INSERT INTO "instrument_identifier" VALUES(7,1,7,'ibkr_conid','756739',1);
INSERT INTO "instrument_identifier" VALUES(8,1,8,'ibkr_conid','756740',1);
INSERT INTO "instrument_identifier" VALUES(9,1,9,'ibkr_conid','756741',1);
INSERT INTO "instrument_identifier" VALUES(10,1,10,'ibkr_conid','756742',1);
INSERT INTO "instrument_identifier" VALUES(11,1,11,'ibkr_conid','756743',1);
INSERT INTO "instrument_identifier" VALUES(12,1,12,'ibkr_conid','756744',1);
INSERT INTO "instrument_identifier" VALUES(13,1,13,'ibkr_conid','756745',1);
INSERT INTO "instrument_identifier" VALUES(14,1,14,'ibkr_conid','756746',1);
INSERT INTO "instrument_identifier" VALUES(15,1,15,'ibkr_conid','756747',1);
INSERT INTO "instrument_identifier" VALUES(16,1,16,'ibkr_conid','756748',1);
INSERT INTO "instrument_identifier" VALUES(17,1,17,'ibkr_conid','756749',1);
INSERT INTO "instrument_identifier" VALUES(18,1,18,'ibkr_conid','756750',1);
INSERT INTO "instrument_identifier" VALUES(19,1,19,'ibkr_conid','756751',1);
INSERT INTO "instrument_identifier" VALUES(20,1,20,'ibkr_conid','756752',1);
INSERT INTO "instrument_identifier" VALUES(21,1,21,'ibkr_conid','756753',1);
CREATE TABLE lease (
	name VARCHAR(60) NOT NULL, 
	owner VARCHAR(60) NOT NULL, 
	until DATETIME NOT NULL, 
	fence INTEGER NOT NULL, 
	CONSTRAINT pk_lease PRIMARY KEY (name)
);
INSERT INTO "lease" VALUES('gateway:1','','2026-11-20 14:00:57.000000',4);
INSERT INTO "lease" VALUES('connection:1','','2026-11-20 14:00:57.000000',3);
CREATE TABLE messenger (
	owner_id INTEGER NOT NULL, 
	until DATETIME NOT NULL, 
	failures INTEGER DEFAULT '0' NOT NULL, 
	tested_at DATETIME, 
	CONSTRAINT pk_messenger PRIMARY KEY (owner_id), 
	CONSTRAINT fk_messenger_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE
);
INSERT INTO "messenger" VALUES(1,'2026-11-20 14:00:00.000000',0,NULL);
CREATE TABLE portfolio (
	id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	base_currency VARCHAR(12) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_portfolio PRIMARY KEY (id), 
	CONSTRAINT fk_portfolio_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE, 
	CONSTRAINT uq_portfolio_owner_id_name UNIQUE (owner_id, name)
);
INSERT INTO "portfolio" VALUES(1,1,'P','USD','2026-11-20 14:00:00.000000');
INSERT INTO "portfolio" VALUES(2,1,'Empty','JPY','2026-11-20 14:00:27.000000');
CREATE TABLE rate (
	id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	from_currency VARCHAR(12) NOT NULL, 
	to_currency VARCHAR(12) NOT NULL, 
	day DATE NOT NULL, 
	source VARCHAR(40) NOT NULL, 
	value TEXT NOT NULL, 
	read_at DATETIME NOT NULL, 
	CONSTRAINT pk_rate PRIMARY KEY (id), 
	CONSTRAINT ck_rate_value_is_a_number CHECK (upper(CAST(value AS TEXT)) NOT LIKE '%N%'), 
	CONSTRAINT ck_rate_currencies_differ CHECK (from_currency <> to_currency), 
	CONSTRAINT fk_rate_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE, 
	CONSTRAINT uq_rate_owner_id_from_currency_to_currency_day_source UNIQUE (owner_id, from_currency, to_currency, day, source)
);
INSERT INTO "rate" VALUES(1,1,'EUR','USD','2026-11-20','ibkr','1.0842','2026-11-20 14:00:13.000000');
INSERT INTO "rate" VALUES(2,1,'CHF','USD','2026-11-20','ibkr','1.1317','2026-11-20 14:00:13.000000');
INSERT INTO "rate" VALUES(3,1,'GBP','USD','2026-11-20','ibkr','1.2635','2026-11-20 14:00:13.000000');
INSERT INTO "rate" VALUES(4,1,'JPY','USD','2026-11-20','ibkr','0.006482','2026-11-20 14:00:13.000000');
INSERT INTO "rate" VALUES(5,1,'EUR','CHF','2026-11-20','manual','0.937654321','2026-11-20 14:00:27.000000');
CREATE TABLE setting (
	id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	"key" VARCHAR(40) NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_setting PRIMARY KEY (id), 
	CONSTRAINT fk_setting_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE, 
	CONSTRAINT uq_setting_owner_id_key UNIQUE (owner_id, "key")
);
CREATE TABLE "sync_run" (
	id VARCHAR(32) NOT NULL, 
	account_id INTEGER NOT NULL, 
	connection_id INTEGER, 
	status VARCHAR(40) NOT NULL, 
	reason VARCHAR(40), 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	lease_until DATETIME NOT NULL, 
	added INTEGER NOT NULL, 
	changed INTEGER NOT NULL, 
	closed INTEGER NOT NULL, 
	unchanged INTEGER NOT NULL, 
	repriced INTEGER NOT NULL, 
	warnings JSON NOT NULL, 
	reconciliation JSON NOT NULL, 
	evidence JSON, 
	error JSON, 
	digest VARCHAR(64), 
	digest_before VARCHAR(64), 
	origin VARCHAR(40) DEFAULT 'hand' NOT NULL, 
	decided_by VARCHAR(100), 
	progress JSON, 
	kept JSON, 
	concerns VARCHAR(32), 
	CONSTRAINT pk_sync_run PRIMARY KEY (id), 
	CONSTRAINT fk_sync_run_account_id FOREIGN KEY(account_id) REFERENCES account (id) ON DELETE CASCADE, 
	CONSTRAINT fk_sync_run_connection_id FOREIGN KEY(connection_id) REFERENCES connection (id) ON DELETE SET NULL, 
	CONSTRAINT ck_sync_run_status_is_known CHECK (status IN ('running', 'succeeded', 'rejected', 'failed', 'interrupted', 'undone')), 
	CONSTRAINT ck_sync_run_origin_is_known CHECK (origin IN ('hand', 'schedule', 'undo', 'decision')), 
	CONSTRAINT fk_sync_run_concerns FOREIGN KEY(concerns) REFERENCES sync_run (id) ON DELETE SET NULL
);
INSERT INTO "sync_run" VALUES('3c6e14d27634132e',1,1,'succeeded',NULL,'2026-11-20 14:00:12.000000','2026-11-20 14:00:13.000000','2026-11-20 14:00:42.000000',26,0,0,0,0,'[]','{"status": "agrees", "difference": "0", "currency": "USD", "likely_cause": null}','{"empty": false, "doubts": {}, "shrunk": [], "shrunk_since": "2026-11-20T14:00:13+00:00"}',NULL,'2cdf22b0c8f844d0f2eb0c81a38a1ae52ce1eca931a0c064035d0d6cc0b76b55','e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855','hand',NULL,NULL,NULL,NULL);
INSERT INTO "sync_run" VALUES('b9ff943fb4f34eb3',1,1,'succeeded',NULL,'2026-11-20 14:00:19.000000','2026-11-20 14:00:21.000000','2026-11-20 14:00:49.000000',0,1,1,24,0,'[]','{"status": "agrees", "difference": "0", "currency": "USD", "likely_cause": null}','{"empty": false, "doubts": {}, "shrunk": ["756734"], "shrunk_since": "2026-11-20T14:00:20+00:00"}',NULL,'79086f83debf2892d1a53e27a0204116335600e1aabada8a2408a828b463b76e','2cdf22b0c8f844d0f2eb0c81a38a1ae52ce1eca931a0c064035d0d6cc0b76b55','hand',NULL,NULL,NULL,NULL);
INSERT INTO "sync_run" VALUES('6d300e0112ac63c2',1,1,'failed','not_authenticated','2026-11-20 14:00:27.000000','2026-11-20 14:00:27.000000','2026-11-20 14:00:57.000000',0,0,0,0,0,'[]','{"status": "unavailable", "difference": null, "currency": null, "likely_cause": null}',NULL,'{"code": "not_authenticated", "message": "Not authenticated with IBKR.", "remedy": "Open https://localhost:5000 in your browser and log in, then try again. IBKR ends each session once a day.", "fields": {}, "retry_at": null, "sample": null}',NULL,NULL,'hand',NULL,NULL,NULL,NULL);
CREATE TABLE told (
	id INTEGER NOT NULL, 
	owner_id INTEGER NOT NULL, 
	subject VARCHAR(40) NOT NULL, 
	code VARCHAR(40) NOT NULL, 
	told_at DATETIME NOT NULL, 
	CONSTRAINT pk_told PRIMARY KEY (id), 
	CONSTRAINT fk_told_owner_id FOREIGN KEY(owner_id) REFERENCES user (id) ON DELETE CASCADE, 
	CONSTRAINT uq_told_owner_id_subject UNIQUE (owner_id, subject)
);
CREATE TABLE user (
	id INTEGER NOT NULL, 
	name VARCHAR(100) NOT NULL, 
	created_at DATETIME NOT NULL, rates_revision INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_user PRIMARY KEY (id), 
	CONSTRAINT uq_user_name UNIQUE (name)
);
INSERT INTO "user" VALUES(1,'owner','2026-11-20 14:00:00.000000',2);
CREATE INDEX ix_instrument_owner_symbol ON instrument (owner_id, symbol);
CREATE UNIQUE INDEX uq_instrument_identifier_key ON instrument_identifier (owner_id, scheme, value) WHERE is_key;
CREATE INDEX ix_change_run ON change (run_id);
CREATE UNIQUE INDEX uq_holding_open ON holding (account_id, instrument_id, source, source_account) WHERE closed_at IS NULL;
CREATE INDEX ix_sync_run_account_started ON sync_run (account_id, started_at);
CREATE UNIQUE INDEX uq_sync_run_running ON sync_run (account_id) WHERE status = 'running';
CREATE INDEX ix_sync_run_concerns ON sync_run (concerns);
COMMIT;
