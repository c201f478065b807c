-- 0006_administrators: who administers, with which seed, in which sessions
-- Nobody but admin reads or writes these. The row of an administrator is locked before a code is looked at. What a
-- code moves (last_step, failures, locked_at) carries no MAC; the rest of administrator, seed and session does.
BEGIN;
CREATE TABLE administrator (
	person_id	uuid		PRIMARY KEY REFERENCES person,
	role		text		NOT NULL,	-- of administrators.yaml
	enrolled_by	uuid,				-- a person_id; NULL: on the console
	enrolled_at	timestamptz	NOT NULL,
	active		boolean		NOT NULL,	-- works: the first code has been verified
	version		bigint		NOT NULL CHECK (version > 0),
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32)
);
CREATE TABLE totp_seed (
	person_id	uuid		PRIMARY KEY REFERENCES administrator,
	seed_id		uuid		NOT NULL UNIQUE,
	sealed		bytea		NOT NULL,	-- only keys can open it
	algorithm	text		NOT NULL,
	confirmed	boolean		NOT NULL,	-- a first code has been verified
	version		bigint		NOT NULL CHECK (version > 0),
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32),
	last_step	bigint		NOT NULL,	-- of the last code accepted: only moves forward
	failures	bigint		NOT NULL,	-- in a row
	locked_at	timestamptz
);
CREATE TABLE enrolment (				-- a one-time code with which a new administrator collects their seed
	person_id	uuid		PRIMARY KEY REFERENCES administrator,
	code_digest	bytea		NOT NULL CHECK (octet_length(code_digest) = 32),
	expires_at	timestamptz	NOT NULL,
	failures	bigint		NOT NULL
);
CREATE TABLE admin_session (				-- one per certificate
	session_id	uuid		PRIMARY KEY,
	person_id	uuid		NOT NULL REFERENCES administrator,
	fingerprint	bytea		NOT NULL UNIQUE CHECK (octet_length(fingerprint) = 32),	-- SHA-256 of the DER
	issued_at	timestamptz	NOT NULL,
	expires_at	timestamptz	NOT NULL,
	address		text		NOT NULL,	-- where the login came from
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32)
);
CREATE INDEX admin_session_person ON admin_session (person_id);
INSERT INTO schema_version (version) VALUES (6);
COMMIT;
