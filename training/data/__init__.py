"""Prepared datasets: sounds and responses of runs on one time grid, their files and their splits.

Everything that learns or is evaluated reads :class:`training.data.prepared.Prepared`; everything
that prepares writes through :mod:`training.data.prepared_writer`.
"""
