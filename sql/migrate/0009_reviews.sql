-- 0009_reviews: who confirmed a requested grant last
-- Nobody confirms what is their own. NULL: not since it was given.
BEGIN;
ALTER TABLE requested_grant
	ADD COLUMN reviewed_at	timestamptz,
	ADD COLUMN reviewed_by	uuid,
	ADD CONSTRAINT requested_grant_reviewed CHECK ((reviewed_at IS NULL) = (reviewed_by IS NULL)
		AND reviewed_by <> person_id);
INSERT INTO schema_version (version) VALUES (9);
COMMIT;
