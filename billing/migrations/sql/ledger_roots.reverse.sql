-- The rights go with the table.
SELECT 1;
