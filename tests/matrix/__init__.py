"""Every fault of the simulated platform against a whole daemon with the shipped rules."""
