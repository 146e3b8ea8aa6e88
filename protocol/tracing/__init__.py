"""From a function in plain NumPy to its network. NumPy's manners are in ``faces``."""
