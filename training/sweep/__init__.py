"""Sweeps: a fit for every combination of settings, as jobs of submitit.

``grid`` reads the combinations, ``jobs`` executes them on this machine or on a SLURM cluster,
``results`` collects and draws the scores, ``sweep`` puts these together.
"""
