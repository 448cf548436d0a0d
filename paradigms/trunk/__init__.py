"""The transformer that all paradigms share: backbone, attention rules, key-value cache."""
