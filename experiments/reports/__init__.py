"""What a record shows: tables and pictures, one module for each script."""
