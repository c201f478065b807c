-- 0001_people: who the directory says there is, and the groups it keeps them in
-- A person's row is the lock of everything that is theirs: whoever changes the person, an account or a grant
-- holds it first and raises version. Times come as parameters; nothing here asks for now().
BEGIN;
CREATE TABLE schema_version (
	version		bigint		PRIMARY KEY
);
CREATE TABLE person (
	person_id	uuid		PRIMARY KEY,
	source		text		NOT NULL,
	entry_uuid	uuid		NOT NULL,	-- entryUUID, objectGUID: survives a rename
	version		bigint		NOT NULL CHECK (version > 0),
	dn		text		NOT NULL,	-- normalised: joins directory_member
	uid		text		NOT NULL,	-- the login name, '' when the map has none
	display_name	text		NOT NULL,
	state		text		NOT NULL CHECK (state IN ('staged', 'active', 'suspended', 'leaver', 'erased')),
	state_since	timestamptz	NOT NULL,
	starts_at	timestamptz,
	ends_at		timestamptz,
	due_at		timestamptz,			-- when the clock has to look again
	blocked		boolean		NOT NULL,	-- an emergency revocation stands: no directory change lifts it
	attrs		text		NOT NULL,	-- canonical text of model/attrs.h
	content_hash	bytea		NOT NULL CHECK (octet_length(content_hash) = 32),
	roles		text		NOT NULL,	-- birthrights held, canonical text of model/strings.h
	identified	text		NOT NULL,	-- level, '' when not identified
	evidence	text		NOT NULL,
	UNIQUE (source, entry_uuid)
);
CREATE INDEX person_dn ON person (source, dn);
CREATE INDEX person_uid ON person (lower(uid));
CREATE INDEX person_due ON person (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE directory_group (
	source		text		NOT NULL,
	entry_uuid	uuid		NOT NULL,
	name		text		NOT NULL,
	PRIMARY KEY (source, entry_uuid)
);
CREATE TABLE directory_member (
	source		text		NOT NULL,
	entry_uuid	uuid		NOT NULL,	-- of the group
	member_dn	text		NOT NULL,	-- normalised; the person may come later, or never
	PRIMARY KEY (source, entry_uuid, member_dn)
);
CREATE INDEX directory_member_dn ON directory_member (source, member_dn);
INSERT INTO schema_version (version) VALUES (1);
COMMIT;
