"""Whether alignment with brain responses makes a network better; see design.md."""
