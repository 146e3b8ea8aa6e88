"""The traced forms of averages, medians and quantiles."""
