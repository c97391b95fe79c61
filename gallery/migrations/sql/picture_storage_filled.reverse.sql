DELETE FROM picture_storage;
