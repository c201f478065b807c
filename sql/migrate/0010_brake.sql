-- 0010_brake: what the brake counts for sources, platforms and all together, how many people there were, and what is held
BEGIN;
ALTER TABLE brake_effect RENAME COLUMN source TO name;	-- of the source or platform, '' for all
ALTER TABLE brake_effect
	ADD COLUMN scope	text		NOT NULL DEFAULT 'source' CHECK (scope IN ('source', 'platform', 'global')),
	DROP CONSTRAINT brake_effect_pkey,
	ADD PRIMARY KEY (kind, scope, name, happened_at, person_id);
INSERT INTO brake_effect (kind, scope, name, happened_at, person_id)
	SELECT DISTINCT kind, 'global', '', happened_at, person_id FROM brake_effect;
ALTER TABLE brake_effect ALTER COLUMN scope DROP DEFAULT;
-- The sum is how many there are: people who have not left, and accounts that are enabled. Each connection adds to rows
-- of its own, so that none waits for another.
CREATE TABLE brake_people (
	scope		text		NOT NULL CHECK (scope IN ('source', 'platform', 'global')),
	name		text		NOT NULL,
	until		timestamptz	NOT NULL,	-- came and went in the time that ends then
	writer		bigint		NOT NULL,	-- its backend
	people		bigint		NOT NULL,
	PRIMARY KEY (scope, name, until, writer)
);
INSERT INTO brake_people (scope, name, until, writer, people)
	SELECT 'source', source, date_trunc('day', now()), 0, count(*) FROM person
		WHERE state NOT IN ('leaver', 'erased') GROUP BY source
	UNION ALL SELECT 'global', '', date_trunc('day', now()), 0, count(*) FROM person
		WHERE state NOT IN ('leaver', 'erased') HAVING count(*) > 0
	UNION ALL SELECT 'platform', platform, date_trunc('day', now()), 0, count(*) FROM account
		WHERE wanted_state = 'enabled' GROUP BY platform;
CREATE TABLE brake_turn (				-- whoever counts waits here for the one who counted before
	turn		bigint		NOT NULL
);
INSERT INTO brake_turn (turn) VALUES (0);
ALTER TABLE brake_hold
	ADD COLUMN kind		text		NOT NULL DEFAULT 'removal' CHECK (kind IN ('removal', 'power', 'join')),
	DROP CONSTRAINT brake_hold_pkey,
	ADD PRIMARY KEY (source, person_id, kind);
ALTER TABLE brake_hold ALTER COLUMN kind DROP DEFAULT;
INSERT INTO schema_version (version) VALUES (10);
COMMIT;
