"""What the programs would be on accelerators that are not there; and are, on one that is."""
