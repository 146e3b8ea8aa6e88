"""Every error that backwave raises on purpose: what was wrong, in whose line, and what to do."""


class BackwaveError(Exception):
    """The root of all errors below; catch this one to catch them all."""


class TraceError(BackwaveError, TypeError):
    """A value that is being traced was used in a way that a network cannot hold."""


class ShapeError(BackwaveError, ValueError):
    """The shapes or dtypes given to an operation do not fit together."""


class ArgumentError(BackwaveError, ValueError):
    """An argument is of the wrong kind, or not what the network was traced with."""


class NotScalarError(BackwaveError, ValueError):
    """The output is not one number, and no S was given for it."""


class IndependentOutputError(BackwaveError, ValueError):
    """The output does not depend on anything that is differentiated."""


class UnknownPrimitiveError(BackwaveError, NotImplementedError):
    """There is no rule for this operation."""


class GuardError(BackwaveError, ValueError):
    """A replay would have taken another branch than the one that was traced."""


class NonFiniteError(BackwaveError, FloatingPointError):
    """A NaN or an infinity arose; the message names the first node where it did."""

    def __str__(self) -> str:
        """Return the message; what was found stands beside it in ``args``."""
        return str(self.args[0]) if self.args else ""


class GradientError(BackwaveError, AssertionError):
    """A derivative is not what finite differences give."""


class CycleError(BackwaveError, ValueError):
    """The network has a cycle; back-propagation needs an acyclic one."""


class WireError(BackwaveError, ValueError):
    """Bytes from outside (a frame, a graph file) are truncated, damaged or foreign."""


class ProtocolError(BackwaveError, RuntimeError):
    """A worker received a frame or a message that the plan does not know, or missed one."""


class LedgerError(BackwaveError, RuntimeError):
    """The counts of a run do not meet their closed forms."""


class PlanError(BackwaveError, ValueError):
    """A plan was asked for that cannot be made."""


class ClusterError(BackwaveError, RuntimeError):
    """The cluster cannot do what was asked, or did not answer in time."""
