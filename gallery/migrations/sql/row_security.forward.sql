-- Policies without an actor match nothing and raise nothing: a missing or emptied
-- setting reads as NULL. The subquery makes PostgreSQL read it once a query.

ALTER TABLE images ENABLE ROW LEVEL SECURITY;
CREATE POLICY images_service ON images TO service_user USING (true) WITH CHECK (true);
CREATE POLICY images_readonly ON images FOR SELECT TO readonly_user USING (true);
CREATE POLICY images_select_own ON images FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY images_select_public ON images FOR SELECT TO app_user
    USING (is_public = TRUE);
CREATE POLICY images_insert_own ON images FOR INSERT TO app_user
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        -- Foreign-key checks ignore policies, so whatever is referred to is checked here.
        AND (job_id IS NULL OR EXISTS (
            SELECT 1 FROM generation_jobs
            WHERE generation_jobs.id = images.job_id
              AND generation_jobs.user_id = images.user_id
        ))
    );
CREATE POLICY images_update_own ON images FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        -- Foreign-key checks ignore policies, so whatever is referred to is checked here.
        AND (job_id IS NULL OR EXISTS (
            SELECT 1 FROM generation_jobs
            WHERE generation_jobs.id = images.job_id
              AND generation_jobs.user_id = images.user_id
        ))
    );
CREATE POLICY images_delete_own ON images FOR DELETE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));

ALTER TABLE boards ENABLE ROW LEVEL SECURITY;
CREATE POLICY boards_service ON boards TO service_user USING (true) WITH CHECK (true);
CREATE POLICY boards_readonly ON boards FOR SELECT TO readonly_user USING (true);
CREATE POLICY boards_select_own ON boards FOR SELECT TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));
CREATE POLICY boards_insert_own ON boards FOR INSERT TO app_user
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        AND (cover_image_id IS NULL OR EXISTS (
            SELECT 1 FROM images
            WHERE images.id = boards.cover_image_id
              AND (images.user_id = boards.user_id OR images.is_public)
        ))
    );
CREATE POLICY boards_update_own ON boards FOR UPDATE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid))
    WITH CHECK (
        user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        AND (cover_image_id IS NULL OR EXISTS (
            SELECT 1 FROM images
            WHERE images.id = boards.cover_image_id
              AND (images.user_id = boards.user_id OR images.is_public)
        ))
    );
CREATE POLICY boards_delete_own ON boards FOR DELETE TO app_user
    USING (user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid));

ALTER TABLE board_images ENABLE ROW LEVEL SECURITY;
CREATE POLICY board_images_service ON board_images TO service_user USING (true) WITH CHECK (true);
CREATE POLICY board_images_readonly ON board_images FOR SELECT TO readonly_user USING (true);
CREATE POLICY board_images_select_own ON board_images FOR SELECT TO app_user
    USING (EXISTS (
            SELECT 1 FROM boards
            WHERE boards.id = board_images.board_id AND boards.user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        ));
CREATE POLICY board_images_insert_own ON board_images FOR INSERT TO app_user
    WITH CHECK (
        EXISTS (
            SELECT 1 FROM boards
            WHERE boards.id = board_images.board_id AND boards.user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        )
        AND EXISTS (
            SELECT 1 FROM images
            WHERE images.id = board_images.image_id
              AND (images.user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) OR images.is_public)
        )
    );
CREATE POLICY board_images_update_own ON board_images FOR UPDATE TO app_user
    USING (EXISTS (
            SELECT 1 FROM boards
            WHERE boards.id = board_images.board_id AND boards.user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        ))
    WITH CHECK (
        EXISTS (
            SELECT 1 FROM boards
            WHERE boards.id = board_images.board_id AND boards.user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        )
        AND EXISTS (
            SELECT 1 FROM images
            WHERE images.id = board_images.image_id
              AND (images.user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid) OR images.is_public)
        )
    );
CREATE POLICY board_images_delete_own ON board_images FOR DELETE TO app_user
    USING (EXISTS (
            SELECT 1 FROM boards
            WHERE boards.id = board_images.board_id AND boards.user_id = (SELECT nullif(current_setting('app.current_user_id', true), '')::uuid)
        ));
