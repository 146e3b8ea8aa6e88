from hypothesis import settings

# The same examples in every run, and no failure because a machine is slow.
settings.register_profile("backwave", derandomize=True, print_blob=True, deadline=None)
settings.load_profile("backwave")
