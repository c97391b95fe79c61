-- The version before reads the words in the ledger. Its form has no public note.
ALTER TABLE credit_transactions DISABLE TRIGGER credit_transactions_append_only;
UPDATE credit_transactions AS posting
SET description = concat('staff ', note.staff_id, ': ', note.internal_reason)
FROM adjustment_notes AS note
WHERE note.transaction_id = posting.id AND note.staff_id IS NOT NULL;
ALTER TABLE credit_transactions ENABLE TRIGGER credit_transactions_append_only;

DROP POLICY adjustment_notes_service ON adjustment_notes;
DROP POLICY adjustment_notes_readonly ON adjustment_notes;
DROP POLICY adjustment_notes_select_own ON adjustment_notes;
ALTER TABLE adjustment_notes DISABLE ROW LEVEL SECURITY;
