"""Using what a run left: files, long recordings, events."""
