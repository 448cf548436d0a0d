"""The benchmark of speed: our decoders and our training step beside what users would run, on the same weights."""
