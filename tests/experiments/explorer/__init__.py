"""Tests of the explorer's page, in a browser."""
