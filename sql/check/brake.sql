-- brake: the counts that shares are reckoned of are those of the rows they count
SELECT 'the brake counts ' || coalesce(c.people, 0) || ' of ' || coalesce(p.people, 0) AS fault,
	coalesce(c.scope, p.scope) || ' ' || coalesce(c.name, p.name) AS what
	FROM (SELECT scope, name, sum(people) AS people FROM brake_people GROUP BY scope, name) c
	FULL JOIN (
		SELECT 'source' AS scope, source AS name, count(*) AS people FROM person
			WHERE state NOT IN ('leaver', 'erased') GROUP BY source
		UNION ALL SELECT 'global', '', count(*) FROM person WHERE state NOT IN ('leaver', 'erased')
		UNION ALL SELECT 'platform', platform, count(*) FROM account WHERE wanted_state = 'enabled' GROUP BY platform
	) p ON p.scope = c.scope AND p.name = c.name
	WHERE coalesce(c.people, 0) <> coalesce(p.people, 0);
