"""The wing that reads records: tables, figures and pages, without torch."""
