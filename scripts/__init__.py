"""The commands: run, count, bench."""
