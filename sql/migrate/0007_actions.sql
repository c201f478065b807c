-- 0007_actions: what administrators ask for, who approved it, and what it leaves on people, brake and clients
-- Whoever asked, approved, granted or vouched is named without a foreign key: its check would lock that person's row
-- too, against the cycle that decides on them.
BEGIN;
CREATE TABLE action (
	digest		bytea		PRIMARY KEY CHECK (octet_length(digest) = 32),	-- SHA-256 of document
	kind		text		NOT NULL,
	document	text		NOT NULL,	-- RFC 8785 JSON: the very bytes that are hashed
	requester	uuid		NOT NULL,
	requested_at	timestamptz	NOT NULL,
	lapses_at	timestamptz	NOT NULL,
	state		text		NOT NULL CHECK (state IN ('prepared', 'pending', 'executed', 'denied', 'lapsed')),
	target_count	bigint		NOT NULL,
	approvals_needed bigint		NOT NULL,
	ended_at	timestamptz,
	result		text		NOT NULL,	-- RFC 8785 JSON, '' until it ended; never a secret
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32)
);
CREATE INDEX action_open ON action (lapses_at) WHERE state IN ('prepared', 'pending');
CREATE TABLE action_approval (				-- one a person, and it stays as it was made
	digest		bytea		NOT NULL REFERENCES action ON DELETE CASCADE,
	person_id	uuid		NOT NULL,
	approved	boolean		NOT NULL,	-- false: denied
	reason		text		NOT NULL,
	made_at		timestamptz	NOT NULL,
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32),
	PRIMARY KEY (digest, person_id)
);
CREATE TABLE requested_grant (
	grant_id	uuid		PRIMARY KEY,
	person_id	uuid		NOT NULL REFERENCES person,
	role		text		NOT NULL,
	granted_by	uuid		NOT NULL CHECK (granted_by <> person_id),
	reason		text		NOT NULL,
	starts_at	timestamptz	NOT NULL,
	ends_at		timestamptz	NOT NULL,
	action_digest	bytea		NOT NULL CHECK (octet_length(action_digest) = 32),
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32),
	UNIQUE (person_id, role)
);
CREATE TABLE identification (				-- who looked at whom, and where the evidence is on file
	person_id	uuid		PRIMARY KEY REFERENCES person,
	verifier	uuid		NOT NULL CHECK (verifier <> person_id),
	level		text		NOT NULL,
	method		text		NOT NULL,
	evidence	text		NOT NULL,
	identified_at	timestamptz	NOT NULL,
	version		bigint		NOT NULL CHECK (version > 0),
	mac		bytea		NOT NULL CHECK (octet_length(mac) = 32)
);
CREATE TABLE sync_request (				-- a read that was asked for
	source		text		PRIMARY KEY,
	asked_at	timestamptz	NOT NULL
);
ALTER TABLE person
	ADD COLUMN suspended	boolean		NOT NULL DEFAULT false,	-- by an action, on top of the directory
	ADD COLUMN resume_at	timestamptz;				-- planned return from that
ALTER TABLE brake_hold
	ADD COLUMN released	boolean		NOT NULL DEFAULT false;	-- two people let it pass
ALTER TABLE token_client
	ADD COLUMN configured	boolean		NOT NULL DEFAULT true;	-- by the configuration file, else by an action
INSERT INTO schema_version (version) VALUES (7);
COMMIT;
