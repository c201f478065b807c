-- people: who left holds nothing
SELECT 'holds birthrights as ' || state AS fault, person_id::text AS what
	FROM person WHERE roles <> '' AND state IN ('leaver', 'erased')
UNION ALL
SELECT 'member of a group that is not there', m.entry_uuid::text || ' ' || m.member_dn
	FROM directory_member m
	WHERE NOT EXISTS (SELECT 1 FROM directory_group g WHERE g.source = m.source AND g.entry_uuid = m.entry_uuid)
UNION ALL
SELECT 'held by the brake, but gone already', p.person_id::text
	FROM brake_hold h JOIN person p ON p.person_id = h.person_id WHERE p.state IN ('leaver', 'erased');
