-- Less what the deltas say already. One statement sees one moment: of a picture that is
-- written meanwhile either both the row and its delta, or neither.
INSERT INTO picture_storage (user_id, bytes)
SELECT users.id, coalesce(pictures.bytes, 0) - coalesce(deltas.bytes, 0)
FROM users
LEFT JOIN (
    SELECT user_id, sum(file_size) AS bytes FROM images GROUP BY user_id
) pictures ON pictures.user_id = users.id
LEFT JOIN (
    SELECT user_id, sum(bytes) AS bytes FROM picture_storage_deltas GROUP BY user_id
) deltas ON deltas.user_id = users.id
WHERE pictures.bytes IS NOT NULL OR deltas.bytes IS NOT NULL;
