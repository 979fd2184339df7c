"""Reads, compares and records measurements. Python 3.11, standard library only."""
