"""The report as one self-contained page: tables to sort, charts, decoding step by step, and how to cite."""

from wordways.report.page.build import page_of

__all__ = ["page_of"]
