-- policy: a version in force has files
SELECT 'policy version without files' AS fault, version::text AS what
	FROM policy_version v WHERE NOT EXISTS (SELECT 1 FROM policy_file f WHERE f.version = v.version);
