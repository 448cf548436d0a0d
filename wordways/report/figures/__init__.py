"""The figures of one task, one file each: `ORDER`, `CAPTION`, `figure(rows, columns)`, which is None without data."""
