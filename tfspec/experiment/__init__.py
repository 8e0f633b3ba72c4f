"""An experiment from manifest to run folder: steps, members, evaluation, run, pipeline, registry."""
