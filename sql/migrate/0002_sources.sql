-- 0002_sources: where each directory stands, what the brake holds, and who owns work that has one owner
BEGIN;
CREATE TABLE source_search (
	source		text		NOT NULL,
	search		text		NOT NULL,	-- 'people' or 'groups'
	cookie		bytea		NOT NULL,	-- '' for none; commits with the changes it covers
	digest		bytea		NOT NULL CHECK (octet_length(digest) = 32),
	complete_at	timestamptz,			-- last complete listing
	listed_count	bigint		NOT NULL,
	PRIMARY KEY (source, search)
);
CREATE TABLE source_verdict (
	source		text		PRIMARY KEY,
	verdict		text		NOT NULL,
	reason		text		NOT NULL,
	since		timestamptz	NOT NULL	-- moves only when the verdict changes
);
CREATE TABLE quarantine (
	source		text		NOT NULL,
	entry		text		NOT NULL,	-- entryUUID, or the dn of an entry that has none
	reason		text		NOT NULL,
	since		timestamptz	NOT NULL,
	PRIMARY KEY (source, entry)
);
CREATE TABLE brake_effect (				-- what was taken away or given, for the sliding window
	source		text		NOT NULL,
	kind		text		NOT NULL,
	happened_at	timestamptz	NOT NULL,
	person_id	uuid		NOT NULL REFERENCES person,
	PRIMARY KEY (source, kind, happened_at, person_id)
);
CREATE TABLE brake_hold (				-- whose removal waits for two people
	source		text		NOT NULL,
	person_id	uuid		NOT NULL REFERENCES person,
	reason		text		NOT NULL,
	since		timestamptz	NOT NULL,
	PRIMARY KEY (source, person_id)
);
CREATE TABLE lease (
	name		text		PRIMARY KEY,
	holder		text		NOT NULL,
	fence		bigint		NOT NULL,	-- grows whenever the holder changes
	expires_at	timestamptz	NOT NULL	-- by the database's clock: holders have several
);
INSERT INTO schema_version (version) VALUES (2);
COMMIT;
