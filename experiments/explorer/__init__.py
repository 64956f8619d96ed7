"""The page on which a trained network can be tried."""
