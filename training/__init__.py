"""From fMRI and sound to checkpoints; run from a checkout as ``python -m training``."""
