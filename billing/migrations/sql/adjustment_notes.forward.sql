-- Staff's words about a posting may be read by its user as far as they are meant for
-- them: rows by the policy, columns by the list of rights.
ALTER TABLE adjustment_notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY adjustment_notes_service ON adjustment_notes TO service_user USING (true) WITH CHECK (true);
CREATE POLICY adjustment_notes_readonly ON adjustment_notes FOR SELECT TO readonly_user USING (true);
CREATE POLICY adjustment_notes_select_own ON adjustment_notes FOR SELECT TO app_user
    USING (EXISTS (
        SELECT 1 FROM credit_transactions AS posting
        WHERE posting.id = adjustment_notes.transaction_id
          AND posting.user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
    ));

-- Words that older versions put into the ledger, where nobody could erase them. The hash
-- leaves the description out for this.
ALTER TABLE credit_transactions DISABLE TRIGGER credit_transactions_append_only;
WITH moved AS (
    UPDATE credit_transactions AS posting SET description = NULL
    FROM credit_transactions AS before
    WHERE before.id = posting.id
        AND before.type = 'admin_adjustment'
        AND before.description ~ '^staff [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}: '
    RETURNING posting.id, before.description AS words, posting.created_at
)
INSERT INTO adjustment_notes (transaction_id, internal_reason, staff_id, created_at)
SELECT id, substr(words, 45), substr(words, 7, 36)::uuid, created_at FROM moved;
ALTER TABLE credit_transactions ENABLE TRIGGER credit_transactions_append_only;
