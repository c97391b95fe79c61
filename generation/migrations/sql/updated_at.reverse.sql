DROP TRIGGER workflows_set_updated_at ON workflows;
