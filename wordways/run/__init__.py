"""The wing that runs models: one configuration in, one record out."""
