"""The commands of ``python -m training``, put together in :mod:`training.cli`."""
