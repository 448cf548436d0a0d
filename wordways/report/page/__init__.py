"""The report as one page that needs nothing else: read it, sort it, watch it, cite it."""

from wordways.report.page.build import page_of

__all__ = ["page_of"]
