-- The newest root is the one that the ledger is held to. Nobody shall record one that
-- stays the newest for ever, or an older statement as if it were new. The path is pinned
-- so that no temporary table poses as the roots.
SELECT set_config('search_path', current_setting('search_path') || ', pg_temp', true);
CREATE FUNCTION check_ledger_root() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    instant CONSTANT pg_catalog.timestamptz := pg_catalog.clock_timestamp();
    form CONSTANT pg_catalog.text := '"audit/ledger/"YYYY-MM-DD"T"HH24-MI-SS-US".json"';
    latest CONSTANT pg_catalog.text := pg_catalog.to_char(instant AT TIME ZONE 'UTC', form);
    earliest CONSTANT pg_catalog.text := pg_catalog.to_char(
        (instant - interval '10 minutes') AT TIME ZONE 'UTC', form
    );
BEGIN
    IF NEW.key COLLATE "C" !~ '^audit/ledger/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{6}\.json$'
        OR NEW.key COLLATE "C" NOT BETWEEN earliest AND latest
        OR pg_catalog.octet_length(NEW.digest) <> 32
    THEN
        RAISE EXCEPTION 'no root of the ledger of this moment: %', NEW.key
            USING ERRCODE = 'check_violation';
    END IF;
    -- What is recorded last is the newest, also where the clock was set back. That keys
    -- grow is not asked: somebody's row a moment before ours would have ours refused.
    NEW.created_at := greatest(
        instant, (SELECT max(created_at) + interval '1 microsecond' FROM ledger_roots)
    );
    RETURN NEW;
END;
$$;

CREATE TRIGGER ledger_roots_of_this_moment BEFORE INSERT ON ledger_roots
    FOR EACH ROW EXECUTE FUNCTION check_ledger_root();

-- Until now a client could name any time. Such a row is a finding until it is accepted,
-- but no row may stay the newest after that.
UPDATE ledger_roots SET created_at = clock_timestamp()
    WHERE created_at > clock_timestamp();
