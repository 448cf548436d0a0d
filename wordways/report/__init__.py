"""Reads records and builds tables, figures and pages, without torch."""
