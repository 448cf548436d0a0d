"""Any paradigm as a language model of lm-evaluation-harness (Gao et al., 2023)."""
