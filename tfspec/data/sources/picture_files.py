"""Pictures in files."""

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
