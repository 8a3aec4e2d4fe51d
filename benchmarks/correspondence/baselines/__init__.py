"""Baselines: acoustic features without learning."""
