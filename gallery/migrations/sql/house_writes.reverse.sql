DROP TRIGGER board_images_owner ON board_images;
DROP FUNCTION check_board_image();
DROP TRIGGER boards_cover ON boards;
DROP FUNCTION check_board_cover();
DROP TRIGGER images_of_job ON images;
DROP FUNCTION check_image_job();

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
