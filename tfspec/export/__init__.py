"""SavedModel and TFLite files that take the raw signal."""
