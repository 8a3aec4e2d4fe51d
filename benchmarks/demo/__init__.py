"""Demo: embed a few recordings and plot their similarity."""
