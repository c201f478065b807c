-- administrators: power only behind a verified code, and never by one's own hand
SELECT 'active administrator without a confirmed seed' AS fault, a.person_id::text AS what
	FROM administrator a
	WHERE a.active AND NOT EXISTS (SELECT 1 FROM totp_seed t WHERE t.person_id = a.person_id AND t.confirmed)
UNION ALL
SELECT 'administrator enrolled by themselves', person_id::text FROM administrator WHERE enrolled_by = person_id
UNION ALL
SELECT 'session of nobody who is an active administrator', x.session_id::text
	FROM admin_session x
	WHERE NOT EXISTS (SELECT 1 FROM administrator a WHERE a.person_id = x.person_id AND a.active)
UNION ALL
SELECT 'session that ends before it begins', session_id::text FROM admin_session WHERE expires_at <= issued_at;
