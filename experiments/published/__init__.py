"""What the field has published: rows of numbers, curves, and the recipes they came from."""
