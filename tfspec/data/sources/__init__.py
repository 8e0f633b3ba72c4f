"""Manifests: one file a kind of data set that they are made from."""
