"""An experiment from manifest to run folder."""
