"""Ways of writing text, one file each, made to be read side by side."""
