"""The command line: parsing, commands, printing."""
