"""The traced forms of running sums, differences and integrals."""
