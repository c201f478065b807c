-- 0003_accounts: what each person is to have on each platform, how far that has come, and what proves it
-- The wanted part belongs to cycle and is MACed; the rest belongs to provision. version > settled_version is the
-- queue: there is no other.
BEGIN;
CREATE TABLE account (
	account_id	uuid		PRIMARY KEY,
	person_id	uuid		NOT NULL REFERENCES person,
	platform	text		NOT NULL,
	name		text		NOT NULL,	-- as the platform folds it
	subject		bytea		NOT NULL UNIQUE CHECK (octet_length(subject) = 16),
	wanted_state	text		NOT NULL CHECK (wanted_state IN ('absent', 'disabled', 'enabled')),
	roles		text		NOT NULL,	-- canonical text of model/strings.h
	entitlements	text		NOT NULL,	-- canonical text of model/entitlement.h
	version		bigint		NOT NULL CHECK (version > 0),
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32),
	settled_version	bigint		NOT NULL,
	urgent		boolean		NOT NULL,	-- takes something away: overtakes everything
	debt_since	timestamptz,			-- since when a removal is not confirmed
	next_attempt_at	timestamptz	NOT NULL,
	attempts	bigint		NOT NULL,
	parked		boolean		NOT NULL,	-- refused: waits for a change, not for time
	lease_holder	text,
	lease_until	timestamptz,
	create_begun_at	timestamptz,			-- from here on a create may have reached the platform
	owned		boolean		NOT NULL,	-- the account there is ours
	observed_state	text		NOT NULL CHECK (observed_state IN ('absent', 'disabled', 'enabled')),
	observed_rights	text		NOT NULL,
	observed_id	text		NOT NULL,	-- the external id seen there
	observed_at	timestamptz,
	last_outcome	text		NOT NULL,
	last_text	text		NOT NULL,
	claimed_at	timestamptz,			-- a credential was collected
	UNIQUE (person_id, platform),
	UNIQUE (platform, name)
) WITH (fillfactor = 80);
CREATE INDEX account_unsettled ON account (platform, urgent DESC, next_attempt_at) WHERE version > settled_version;
CREATE TABLE credential (				-- a first password, sealed: only keys can open it
	account_id	uuid		PRIMARY KEY REFERENCES account,
	credential_id	uuid		NOT NULL UNIQUE,
	sealed		bytea		NOT NULL,
	made_at		timestamptz	NOT NULL,
	expires_at	timestamptz	NOT NULL,
	set_at		timestamptz			-- on the platform since: may be collected
);
CREATE INDEX credential_expires ON credential (expires_at);
CREATE TABLE receipt (
	receipt_id	uuid		PRIMARY KEY,
	account_id	uuid		NOT NULL REFERENCES account,
	version		bigint		NOT NULL,	-- of the wanted part that was worked on
	step		text		NOT NULL,
	outcome		text		NOT NULL,
	sessions_ended	bigint		NOT NULL,
	sessions_left	bigint		NOT NULL,
	made_at		timestamptz	NOT NULL,
	body		text		NOT NULL,	-- the platform's words, for people
	signature	bytea		NOT NULL
);
CREATE INDEX receipt_account ON receipt (account_id, made_at);
INSERT INTO schema_version (version) VALUES (3);
COMMIT;
