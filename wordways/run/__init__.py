"""Runs models: one configuration in, one record out."""
