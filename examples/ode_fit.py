"""Hares and lynxes: the rates of a differential equation, from counts of the animals.

Lotka and Volterra's equations, with hares x and lynxes y (in thousands):

    dx/dt = α x - β x y        hares are born, and are eaten
    dy/dt = δ x y - γ y        lynxes live on hares, and die

The equation is solved by Runge and Kutta's steps of fourth order, and the loss says
how far the solution is from the counts, in logarithms. The gradient comes back
through all the steps, to the four rates and to the state in the first year.
"""

from typing import NamedTuple

import numpy as np

YEARS = np.arange(1, 13)
STEPS_A_YEAR = 2


class Unknowns(NamedTuple):
    """Logarithms, so that every rate and every count is positive."""

    log_rates: np.ndarray
    log_start: np.ndarray


def slope(state, rates):
    hares, lynxes = state
    birth, eaten, grown, death = rates
    return np.stack(
        [birth * hares - eaten * hares * lynxes, grown * hares * lynxes - death * lynxes]
    )


def runge_kutta(state, rates, dt):
    k1 = slope(state, rates)
    k2 = slope(state + 0.5 * dt * k1, rates)
    k3 = slope(state + 0.5 * dt * k2, rates)
    k4 = slope(state + dt * k3, rates)
    return state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def solution(unknowns):
    """The state at the end of each year."""
    state, rates = np.exp(unknowns.log_start), np.exp(unknowns.log_rates)
    states = []
    for _ in YEARS:
        for _ in range(STEPS_A_YEAR):
            state = runge_kutta(state, rates, 1 / STEPS_A_YEAR)
        states.append(state)
    return np.stack(states)


def loss(unknowns, counts):
    return np.mean((np.log(solution(unknowns)) - np.log(counts)) ** 2)


def inputs():
    """Counts with 10% noise, from rates that are not those of the first guess."""
    rng = np.random.default_rng(4)
    truth = Unknowns(np.log([0.6, 0.03, 0.02, 0.8]), np.log([30.0, 5.0]))
    counts = solution(truth)
    counts = counts * np.exp(0.1 * rng.normal(size=counts.shape))
    guess = Unknowns(np.log([0.5, 0.025, 0.025, 0.7]), np.log([25.0, 8.0]))
    return guess, counts
