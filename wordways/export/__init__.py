"""Trained models as Hugging Face folders, which transformers and other programs load."""
