"""The commands of ``hear-brainsoundnet``, put together in :mod:`hear_brainsoundnet.cli`."""
