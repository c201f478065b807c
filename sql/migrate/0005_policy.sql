-- 0005_policy: what is in force, and who may call the token API
BEGIN;
CREATE TABLE policy_version (
	version		bigint		PRIMARY KEY,
	digest		bytea		NOT NULL CHECK (octet_length(digest) = 32),
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32),
	applied_by	text		NOT NULL,
	applied_at	timestamptz	NOT NULL
);
CREATE TABLE policy_file (
	version		bigint		NOT NULL REFERENCES policy_version,
	name		text		NOT NULL,
	content		text		NOT NULL,
	PRIMARY KEY (version, name)
);
CREATE TABLE token_client (
	client_id	uuid		PRIMARY KEY,
	name		text		NOT NULL UNIQUE,
	platform	text		NOT NULL,
	fingerprint	bytea		NOT NULL UNIQUE CHECK (octet_length(fingerprint) = 32),	-- SHA-256 of the DER
	csr_digest	bytea		NOT NULL CHECK (octet_length(csr_digest) = 32),
	certificate	text		NOT NULL,
	not_after	timestamptz	NOT NULL,
	version		bigint		NOT NULL CHECK (version > 0),
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32)
);
INSERT INTO schema_version (version) VALUES (5);
COMMIT;
