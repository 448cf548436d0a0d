"""Loops that fill masked positions, and the functions they share."""
