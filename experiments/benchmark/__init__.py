"""How fast it is, compared with other software."""
