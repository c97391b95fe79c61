-- One row for each thing in the current schema: kind, relation, name, definition.
WITH relation AS (
    SELECT oid, relname, relkind, relowner, relacl, relrowsecurity, relforcerowsecurity
    FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace
      AND relkind IN ('r', 'p', 'v', 'm')
), attribute AS (
    SELECT a.*, r.relname
    FROM pg_attribute a JOIN relation r ON r.oid = a.attrelid
    WHERE a.attnum > 0 AND NOT a.attisdropped
), checked AS (
    SELECT c.oid, c.conname, r.relname
    FROM pg_constraint c JOIN relation r ON r.oid = c.conrelid
    -- NOT NULL is a column's nullability, a constraint trigger is a trigger.
    WHERE c.contype NOT IN ('n', 't')
), policy AS (
    SELECT p.*, r.relname
    FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
)
SELECT 'relation' AS kind, relname AS relation, '' AS name,
    CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table'
        WHEN 'v' THEN 'view' ELSE 'materialized view' END AS definition
FROM relation
UNION ALL
SELECT 'relation comment', relname, '', obj_description(oid, 'pg_class')
FROM relation WHERE obj_description(oid, 'pg_class') IS NOT NULL
UNION ALL
SELECT 'view definition', relname, '', pg_get_viewdef(oid)
FROM relation WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'column', relname, attname,
    format_type(atttypid, atttypmod)
    || CASE WHEN attidentity = '' THEN '' ELSE ' identity ' || attidentity::text END
    || CASE WHEN attgenerated = '' THEN '' ELSE ' generated ' || attgenerated::text END
FROM attribute
UNION ALL
SELECT 'column nullability', relname, attname,
    CASE WHEN attnotnull THEN 'NOT NULL' ELSE 'NULL' END
FROM attribute
UNION ALL
SELECT 'column default', a.relname, a.attname, pg_get_expr(d.adbin, d.adrelid)
FROM attribute a
JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
UNION ALL
SELECT 'column comment', relname, attname, col_description(attrelid, attnum)
FROM attribute WHERE col_description(attrelid, attnum) IS NOT NULL
UNION ALL
SELECT 'constraint', relname, conname, pg_get_constraintdef(oid) FROM checked
UNION ALL
SELECT 'constraint comment', relname, conname, obj_description(oid, 'pg_constraint')
FROM checked WHERE obj_description(oid, 'pg_constraint') IS NOT NULL
UNION ALL
SELECT 'index', r.relname, c.relname,
    pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
FROM pg_index i
JOIN relation r ON r.oid = i.indrelid
JOIN pg_class c ON c.oid = i.indexrelid
UNION ALL
SELECT 'row security', relname, '', '' FROM relation WHERE relrowsecurity
UNION ALL
SELECT 'forced row security', relname, '', '' FROM relation WHERE relforcerowsecurity
UNION ALL
SELECT 'policy', relname, polname,
    CASE WHEN polpermissive THEN 'permissive ' ELSE 'restrictive ' END
    || CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
        WHEN 'd' THEN 'DELETE' ELSE 'ALL' END
FROM policy
UNION ALL
SELECT 'policy roles', relname, polname,
    (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END, ', '
        ORDER BY role::regrole::text) FROM unnest(polroles) AS role)
FROM policy
UNION ALL
SELECT 'policy expression', relname, polname,
    concat('USING ' || pg_get_expr(polqual, polrelid),
        ' WITH CHECK ' || pg_get_expr(polwithcheck, polrelid))
FROM policy
UNION ALL
SELECT 'trigger', r.relname, t.tgname, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT 'function', '', p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    pg_get_functiondef(p.oid)
FROM pg_proc p
WHERE p.pronamespace = current_schema()::regnamespace AND p.prokind = 'f'
UNION ALL
SELECT 'sequence', coalesce(r.relname, ''), s.relname, format_type(q.seqtypid, NULL)
FROM pg_class s
JOIN pg_sequence q ON q.seqrelid = s.oid
LEFT JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i')
LEFT JOIN relation r ON r.oid = d.refobjid
WHERE s.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'grant', r.relname, g.privilege_type || ' to ' || g.grantee::regrole,
    CASE WHEN g.is_grantable THEN 'may be passed on' ELSE '' END
FROM relation r, aclexplode(r.relacl) g WHERE g.grantee <> r.relowner
UNION ALL
SELECT 'column grant', a.relname,
    g.privilege_type || ' on ' || a.attname || ' to ' || g.grantee::regrole, ''
FROM attribute a, aclexplode(a.attacl) g
UNION ALL
SELECT 'schema', '', nspname, ''
FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%%'
UNION ALL
SELECT 'schema grant', n.nspname, g.privilege_type || ' to ' || g.grantee::regrole, ''
FROM pg_namespace n, aclexplode(n.nspacl) g
WHERE n.oid IN (current_schema()::regnamespace, 'extensions'::regnamespace)
  AND g.grantee <> n.nspowner
UNION ALL
SELECT 'database grant', '', g.privilege_type || ' to ' || g.grantee::regrole, ''
FROM pg_database d, aclexplode(d.datacl) g
WHERE d.datname = current_database() AND g.grantee <> d.datdba
UNION ALL
SELECT 'default privilege', '',
    CASE a.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences'
        ELSE a.defaclobjtype::text END
    || ' ' || g.privilege_type || ' to ' || g.grantee::regrole, ''
FROM pg_default_acl a, aclexplode(a.defaclacl) g
WHERE a.defaclnamespace = current_schema()::regnamespace AND g.grantee <> a.defaclrole
UNION ALL
SELECT 'role', '', rolname,
    concat_ws(' ', CASE WHEN rolcanlogin THEN 'login' END,
        CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolinherit THEN 'inherit' END,
        CASE WHEN rolcreatedb THEN 'createdb' END,
        CASE WHEN rolcreaterole THEN 'createrole' END,
        CASE WHEN rolreplication THEN 'replication' END,
        CASE WHEN rolbypassrls THEN 'bypassrls' END)
FROM pg_roles WHERE rolname = ANY(%(roles)s)
UNION ALL
SELECT 'membership', '', m.member::regrole || ' in ' || m.roleid::regrole,
    concat_ws(' ', CASE WHEN m.inherit_option THEN 'inherit' END,
        CASE WHEN m.set_option THEN 'set' END, CASE WHEN m.admin_option THEN 'admin' END)
FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
WHERE r.rolname = ANY(%(roles)s)
UNION ALL
SELECT 'extension', '', e.extname, e.extnamespace::regnamespace::text
FROM pg_extension e
