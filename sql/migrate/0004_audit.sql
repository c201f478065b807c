-- 0004_audit: what happened, and the proof that nobody cut it
-- The record commits with its cause; the leaf follows within a second, from the one process that numbers. What waits
-- for its number stands in audit_pending, so that no record is ever looked for in all of them.
BEGIN;
CREATE TABLE audit_record (
	record_id	uuid		PRIMARY KEY,
	happened_at	timestamptz	NOT NULL,
	kind		text		NOT NULL,	-- from the event catalogue
	body		text		NOT NULL	-- RFC 8785 JSON: the very bytes that are hashed
);
CREATE TABLE audit_pending (
	record_id	uuid		PRIMARY KEY
);
CREATE TABLE audit_leaf (
	leaf_index	bigint		PRIMARY KEY CHECK (leaf_index >= 0),	-- gapless, from 0
	record_id	uuid		NOT NULL UNIQUE REFERENCES audit_record,
	leaf_hash	bytea		NOT NULL CHECK (octet_length(leaf_hash) = 32)
);
CREATE TABLE audit_checkpoint (
	tree_size	bigint		PRIMARY KEY,
	note		text		NOT NULL,	-- C2SP tlog-checkpoint, signed
	made_at		timestamptz	NOT NULL
);
CREATE TABLE pull_count (				-- pulls of the token API: one row per client, account and minute
	client_id	uuid		NOT NULL,
	account_id	uuid		NOT NULL,
	minute		timestamptz	NOT NULL,
	pulls		bigint		NOT NULL,
	PRIMARY KEY (client_id, account_id, minute)
);
INSERT INTO schema_version (version) VALUES (4);
COMMIT;
