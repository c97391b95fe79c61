DROP VIEW user_stats_own;
DROP MATERIALIZED VIEW user_stats;
