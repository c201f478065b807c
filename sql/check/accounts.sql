-- accounts: power only for who may have it, and no account further than it was asked to be
SELECT 'settled beyond its version' AS fault, account_id::text AS what FROM account WHERE settled_version > version
UNION ALL
SELECT 'enabled account of a person who is ' || p.state || CASE WHEN p.blocked THEN ', blocked' ELSE '' END
	|| CASE WHEN p.suspended THEN ', suspended by an action' ELSE '' END,
	a.account_id::text
	FROM account a JOIN person p ON p.person_id = a.person_id
	WHERE a.wanted_state = 'enabled' AND (p.state <> 'active' OR p.blocked OR p.suspended)
UNION ALL
SELECT 'settled, but a removal is still owed', account_id::text
	FROM account WHERE settled_version = version AND (urgent OR debt_since IS NOT NULL OR parked)
UNION ALL
SELECT 'owned, but a create was never begun', account_id::text
	FROM account WHERE owned AND create_begun_at IS NULL AND observed_state = 'absent' AND observed_at IS NULL
UNION ALL
SELECT 'account of nobody', account_id::text
	FROM account a WHERE NOT EXISTS (SELECT 1 FROM person p WHERE p.person_id = a.person_id)
UNION ALL
SELECT 'subject of several accounts', encode(subject, 'hex') FROM account GROUP BY subject HAVING count(*) > 1
UNION ALL
SELECT 'half a lease', account_id::text FROM account WHERE (lease_holder IS NULL) <> (lease_until IS NULL);
