"""The commands of ``python -m training``, assembled in :mod:`training.cli`."""
