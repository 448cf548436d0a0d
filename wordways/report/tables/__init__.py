"""The tables of one task, one file each: `ORDER`, its place in the report, and `table(rows)`, None without data."""
