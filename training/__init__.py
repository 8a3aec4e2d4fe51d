"""From fMRI and audio to checkpoints; run from a checkout as ``python -m training``."""
