"""Several devices, machines and processes."""
