-- actions: executed only with what they needed, and what they gave ends
SELECT 'executed with too few approvals' AS fault, encode(a.digest, 'hex') AS what
	FROM action a
	WHERE a.state = 'executed' AND a.approvals_needed > (SELECT count(*) FROM action_approval p
		WHERE p.digest = a.digest AND p.approved AND p.person_id <> a.requester)
UNION ALL
SELECT 'approved by who asked for it', encode(a.digest, 'hex')
	FROM action a JOIN action_approval p ON p.digest = a.digest WHERE p.approved AND p.person_id = a.requester
UNION ALL
SELECT 'ended at no time, or open and ended', encode(digest, 'hex')
	FROM action WHERE (state IN ('executed', 'denied', 'lapsed')) <> (ended_at IS NOT NULL)
UNION ALL
SELECT 'grant that ends before it starts', grant_id::text FROM requested_grant WHERE ends_at <= starts_at
UNION ALL
SELECT 'grant of no action that was executed', g.grant_id::text
	FROM requested_grant g
	WHERE NOT EXISTS (SELECT 1 FROM action a WHERE a.digest = g.action_digest AND a.state = 'executed');
