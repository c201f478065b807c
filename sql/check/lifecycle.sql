-- lifecycle: nobody is where time or an administrator will not find them again, and of the erased nothing is left
WITH free AS (			-- who is held by the brake is where they were
	SELECT * FROM person p WHERE NOT EXISTS (SELECT 1 FROM brake_hold h WHERE h.person_id = p.person_id)
)
SELECT 'suspended by an administrator, but ' || state AS fault, person_id::text AS what
	FROM free WHERE suspended AND state IN ('staged', 'active')
UNION ALL
SELECT 'staged, and nobody looks at the start', person_id::text
	FROM free WHERE state = 'staged' AND (starts_at IS NULL OR due_at IS NULL OR due_at > starts_at)
UNION ALL
SELECT 'nobody looks at the end', person_id::text
	FROM free WHERE state IN ('staged', 'active', 'suspended') AND ends_at IS NOT NULL
	AND (due_at IS NULL OR due_at > ends_at)
UNION ALL
SELECT 'nobody looks at the return', person_id::text
	FROM free WHERE suspended AND resume_at IS NOT NULL AND (due_at IS NULL OR due_at > resume_at)
UNION ALL
SELECT 'a leaver whom nobody will erase', person_id::text FROM free WHERE state = 'leaver' AND due_at IS NULL
UNION ALL
SELECT 'a grant of who is ' || p.state || CASE WHEN p.blocked THEN ', blocked' ELSE '' END, g.grant_id::text
	FROM requested_grant g JOIN person p ON p.person_id = g.person_id
	WHERE p.state IN ('leaver', 'erased') OR p.blocked
UNION ALL
SELECT 'nobody looks at the end of a grant', g.grant_id::text
	FROM requested_grant g JOIN free p ON p.person_id = g.person_id
	WHERE p.due_at IS NULL OR p.due_at > g.ends_at
UNION ALL
SELECT 'erased, and something is kept', person_id::text
	FROM person WHERE state = 'erased' AND (attrs <> '' OR dn <> '' OR uid <> '' OR display_name <> ''
	OR starts_at IS NOT NULL OR ends_at IS NOT NULL OR content_hash <> decode(repeat('00', 32), 'hex'));
