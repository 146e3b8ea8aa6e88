"""What CuPy has of NumPy and SciPy, so that the stand-in for its arrays is no more generous.

Read off CuPy 14.0 and 14.2 (``pip install cupy-cuda12x`` imports without a GPU) beside NumPy 2.4
and SciPy 1.17: a NumPy function that meets a CuPy array is looked up in ``cupy`` by its module and
name, a ufunc in ``cupy`` and then in ``cupyx.scipy.special`` by its name (``__array_function__``
and ``__array_ufunc__`` in ``cupy/_core/core.pyx``); keywords by ``inspect.signature``, dtypes by
``ufunc.types``.
"""


def _names(text):
    return frozenset(text.split())


NO_FUNCTIONS = _names(
    """
    np.block np.busday_count np.busday_offset np.datetime_as_string np.einsum_path np.geomspace
    np.histogram_bin_edges np.insert np.is_busday np.linalg.diagonal np.linalg.matrix_norm
    np.linalg.multi_dot np.linalg.outer np.linalg.svdvals np.linalg.tensordot np.linalg.trace
    np.linalg.vecdot np.linalg.vector_norm np.nanpercentile np.nanquantile np.polyder np.polydiv
    np.polyint np.unstack
    """
)
"""NumPy's functions that CuPy has not."""

_NO_KEYWORDS = {
    "where": "all amax amin any max mean min nanmax nanmean nanmin nanprod nanstd nansum nanvar "
    "prod std sum var",
    "initial": "amax amin max min nanmax nanmin nanprod nansum prod sum",
    "correction": "nanstd nanvar std var",
    "mean": "nanstd nanvar std var",
    "kind": "argpartition isin partition",
    "order": "argpartition argsort partition sort",
    "stable": "argsort sort",
    "min": "clip",
    "max": "clip",
    "axis": "lexsort trim_zeros",
    "keepdims": "count_nonzero",
    "weights": "percentile quantile",
    "mode": "take",
    "shape": "reshape unravel_index",
    "subok": "broadcast_arrays broadcast_to copy",
    "device": "astype empty_like full_like linspace ones_like zeros_like",
    "upper": "linalg.cholesky",
    "hermitian": "linalg.matrix_rank linalg.pinv linalg.svd",
    "rtol": "linalg.matrix_rank linalg.pinv",
    "out": "fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft fft.rfftn fft.irfftn fft.rfft2 "
    "fft.irfft2 fft.fft2 fft.ifft2 fft.fftn fft.ifftn",
}
NO_KEYWORDS = frozenset(
    (f"np.{function}", keyword)
    for keyword, functions in _NO_KEYWORDS.items()
    for function in functions.split()
)
"""Pairs of a NumPy function and a keyword of it that CuPy's has not."""

NO_UFUNCS = _names("isnat matvec spacing vecdot vecmat")
"""NumPy's ufuncs that CuPy has not."""

SPECIAL_UFUNCS = _names(
    """
    bdtr bdtrc bdtri beta betainc betaincinv betaln binom boxcox boxcox1p cbrt chdtr chdtrc chdtri
    cosdg cosm1 cotdg ellipeinc ellipj ellipk ellipkinc ellipkm1 entr erf erfc erfcinv erfcx erfinv
    exp1 exp10 exp2 expi expit expm1 expn exprel fdtr fdtrc fdtri gamma gammainc gammaincc
    gammainccinv gammaincinv gammaln gammasgn gdtr gdtrc huber i0 i0e i1 i1e inv_boxcox
    inv_boxcox1p j0 j1 k0 k0e k1 k1e kl_div log1p log_expit log_ndtr loggamma logit lpmv nbdtr
    nbdtrc nbdtri ndtr ndtri pdtr pdtrc pdtri poch pseudo_huber psi radian rel_entr rgamma round
    shichi sici sindg tandg wright_bessel xlog1py xlogy y0 y1 yn zetac
    """
)
"""SciPy's ufuncs that cupyx.scipy.special has. It has zeta and lambertw, but not by the private
names of their ufuncs."""

REAL_UFUNCS = _names(
    "exp1 expi erf erfc erfcx log_ndtr ndtr logical_and logical_not logical_or logical_xor"
)
"""Those that NumPy and SciPy have of complex numbers, and CuPy only of real ones."""

ADD_AT = _names("i4 i8 u4 u8 f2 f4 f8")
"""The dtypes of which ``cupy.add.at`` adds."""
