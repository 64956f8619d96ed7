"""How fast it is, and next to whom."""
