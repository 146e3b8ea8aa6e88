"""A network as people hold it: traced, saved, read, summed up, run."""
