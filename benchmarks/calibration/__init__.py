"""Calibration of p values, corrections, ceilings and intervals on simulations with known truth."""
