"""Calibration of p values, corrections, ceilings and intervals on simulations with known truth.

Each experiment writes its numbers to ``results/``; ``results.md`` is generated from these alone.
"""
