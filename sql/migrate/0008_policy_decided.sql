-- 0008_policy_decided: with which policy everyone has been decided on, so that a kill on the way loses nobody
BEGIN;
CREATE TABLE policy_decided (
	one		boolean		PRIMARY KEY DEFAULT true CHECK (one),	-- a single row
	version		bigint		NOT NULL REFERENCES policy_version,
	decided_at	timestamptz	NOT NULL
);
INSERT INTO schema_version (version) VALUES (8);
COMMIT;
