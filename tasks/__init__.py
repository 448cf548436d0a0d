"""What is to be written, and how it is judged: one file per task."""
