-- Policies without an actor match nothing and raise nothing: a missing or emptied
-- setting reads as NULL. The subquery makes PostgreSQL read it once a query.

ALTER TABLE generation_jobs ENABLE ROW LEVEL SECURITY;
CREATE POLICY generation_jobs_service ON generation_jobs TO service_user USING (true) WITH CHECK (true);
CREATE POLICY generation_jobs_readonly ON generation_jobs FOR SELECT TO readonly_user USING (true);
CREATE POLICY generation_jobs_select_own ON generation_jobs FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY generation_jobs_insert_own ON generation_jobs FOR INSERT TO app_user
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY generation_jobs_update_own ON generation_jobs FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));

ALTER TABLE workflows ENABLE ROW LEVEL SECURITY;
CREATE POLICY workflows_service ON workflows TO service_user USING (true) WITH CHECK (true);
CREATE POLICY workflows_readonly ON workflows FOR SELECT TO readonly_user USING (true);
CREATE POLICY workflows_select_own ON workflows FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY workflows_select_public ON workflows FOR SELECT TO app_user
    USING (is_public = TRUE);
CREATE POLICY workflows_insert_own ON workflows FOR INSERT TO app_user
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        -- Foreign-key checks ignore policies, so whatever is referred to is checked here.
        AND (thumbnail_image_id IS NULL OR EXISTS (
            SELECT 1 FROM images
            WHERE images.id = workflows.thumbnail_image_id
              AND (images.user_id = workflows.user_id OR images.is_public)
        ))
    );
CREATE POLICY workflows_update_own ON workflows FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        -- Foreign-key checks ignore policies, so whatever is referred to is checked here.
        AND (thumbnail_image_id IS NULL OR EXISTS (
            SELECT 1 FROM images
            WHERE images.id = workflows.thumbnail_image_id
              AND (images.user_id = workflows.user_id OR images.is_public)
        ))
    );
CREATE POLICY workflows_delete_own ON workflows FOR DELETE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
