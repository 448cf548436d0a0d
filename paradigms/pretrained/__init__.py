"""Checkpoints of public models in the place of a trained transformer; the only package that imports transformers."""
