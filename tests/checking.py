"""What `tfspec check` says of a folder of class folders."""

from tfspec.base.progress import untracked
from tfspec.data.check import check_examples, with_inspections
from tfspec.data.sources.class_folders import list_class_folders


def check_folder(folder, progress=untracked, **limits):
    manifest = list_class_folders(folder).manifest
    return check_examples(with_inspections(manifest, folder, progress), **limits)
