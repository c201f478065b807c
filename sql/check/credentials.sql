-- credentials: one waits only for an account that is to be enabled, that is: for an identified person
SELECT 'credential of an account that is not to be enabled' AS fault, c.account_id::text AS what
	FROM credential c JOIN account a ON a.account_id = c.account_id WHERE a.wanted_state <> 'enabled'
UNION ALL
SELECT 'credential that outlives its term', account_id::text
	FROM credential WHERE expires_at > made_at + interval '30 days';
