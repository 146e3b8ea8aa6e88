"""The traced forms of ``np.einsum`` and of products written with it."""
