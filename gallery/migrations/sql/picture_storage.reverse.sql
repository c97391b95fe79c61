DROP TRIGGER images_bytes_moved ON images;
DROP TRIGGER images_bytes_old ON images;
DROP TRIGGER images_bytes_new ON images;
DROP FUNCTION count_moved_picture_bytes();
DROP FUNCTION count_old_picture_bytes();
DROP FUNCTION count_new_picture_bytes();
