"""Whether six brain components help where labels are few; the design is in design.md."""
