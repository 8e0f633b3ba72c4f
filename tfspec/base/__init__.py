"""What everything else stands on: errors, files, names, checks of arguments."""
