"""The commands of ``hear-brainsoundnet``, assembled in :mod:`hear_brainsoundnet.cli`."""
