"""A small Gaussian process: Matern 5/2 with one lengthscale per parameter, and noise. Arrays in, arrays out; no history, no space.

    y = f(x) + noise,  f ~ GP(0, k),  k(x, x') = (1 + s + s^2 / 3) exp(-s),  s = sqrt(5) |x - x'|, each parameter over its lengthscale

Targets have mean 0 and variance 1, so that the variance of f is 1. N points observed, M candidates, D coordinates, G parameters.

Source: Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006: equations 2.25, 2.26, 2.30 and 4.17. Expected improvement:
Jones, Schonlau, Welch, Journal of Global Optimization 13, 1998.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, lapack, solve_triangular
from scipy.spatial.distance import pdist, squareform
from scipy.special import ndtr

# Priors of the logarithms of lengthscales and of the noise's standard deviation: mean, standard deviation. The study of replayed
# curves found them sound on six tables; most parameters matter little, and a curve's early score says half of its end.
LOG_LENGTHSCALE = (0.3, 1.0)
LOG_NOISE = (-1.0, 1.0)

JITTER = 1e-6  # variance added to that of the noise, so that equal points with little noise can be told apart by the arithmetic


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What is fitted: G log lengthscales, then the log of the noise's standard deviation."""

    log_G1: np.ndarray

    @classmethod
    def prior(cls, num_parameters: int) -> "Hyperparameters":
        """Return the mean of the priors."""
        return cls(np.append(np.full(num_parameters, LOG_LENGTHSCALE[0]), LOG_NOISE[0]))

    @property
    def lengthscales(self) -> np.ndarray:
        """Return the distance over which f varies, for each parameter."""
        return np.asarray(np.exp(self.log_G1[:-1]))

    @property
    def noise_variance(self) -> float:
        """Return the variance of the noise."""
        return float(np.exp(2.0 * self.log_G1[-1])) + JITTER

    def log_prior(self) -> float:
        """Return the log density of the priors, without its constant."""
        lengthscales, noise = (self.log_G1[:-1] - LOG_LENGTHSCALE[0]) / LOG_LENGTHSCALE[1], (self.log_G1[-1] - LOG_NOISE[0]) / LOG_NOISE[1]
        return float(-0.5 * (lengthscales @ lengthscales + noise * noise))


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of f after N observations.

    Attributes:
        points_ND: Where it was observed, each coordinate over its lengthscale.
        factor_NN: Lower Cholesky factor of k(X, X) + noise.
        weights_N: (k(X, X) + noise)^-1 y.
        scale_D: The lengthscale of each coordinate.
    """

    points_ND: np.ndarray
    factor_NN: np.ndarray
    weights_N: np.ndarray
    scale_D: np.ndarray

    def predict(self, x_MD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the standard deviation of f at M points."""
        k_MN = matern52(_squared(x_MD / self.scale_D, self.points_ND))
        mean_M = k_MN @ self.weights_N
        half_NM = solve_triangular(self.factor_NN, k_MN.T, lower=True, check_finite=False)
        return mean_M, np.sqrt(np.maximum(1.0 - np.einsum("nm,nm->m", half_NM, half_NM), 1e-12))

    def means(self) -> np.ndarray:
        """Return the mean of f at the observed points, (N,)."""
        return np.asarray(matern52(_squared(self.points_ND, self.points_ND)) @ self.weights_N)


def matern52(squared_distance: np.ndarray) -> np.ndarray:
    """Return the covariance of f at points so far apart; 1 at 0."""
    s = np.sqrt(5.0 * squared_distance)
    return np.asarray((1.0 + s + s * s / 3.0) * np.exp(-s))


def fit(
    x_ND: np.ndarray,
    y_N: np.ndarray,
    groups_D: np.ndarray,
    start: Hyperparameters,
    rng: np.random.Generator,
    *,
    num_tries: int,
    step: float,
) -> Hyperparameters:
    """Return the most probable of some random perturbations of `start`, itself included.

    Deviates from the usual gradient ascent: refitted again and again while observations come in, each time from where it was, a few
    random steps find as good a sampler at a tenth of the cost.

    Args:
        x_ND: Points.
        y_N: Targets, mean 0 and variance 1.
        groups_D: The parameter, 0..G-1, of each coordinate.
        start: Where to begin.
        rng: Draws the perturbations.
        num_tries: Perturbations, each of the best so far.
        step: Their standard deviation, in units of the logarithms.
    """
    parts_GP = np.stack([pdist(x_ND[:, groups_D == group], "sqeuclidean") for group in range(groups_D.max() + 1)])
    best, best_value = start, log_posterior(parts_GP, y_N, start)
    for _ in range(num_tries):
        tried = Hyperparameters(best.log_G1 + step * rng.standard_normal(len(best.log_G1)))
        if (value := log_posterior(parts_GP, y_N, tried)) > best_value:
            best, best_value = tried, value
    return best


def log_posterior(parts_GP: np.ndarray, y_N: np.ndarray, hyperparameters: Hyperparameters) -> float:
    """Return the log density of the hyperparameters given the targets, up to a constant.

    Args:
        parts_GP: Squared distances of all P = N (N - 1) / 2 pairs of points, in the order of scipy's pdist, for each parameter.
        y_N: Targets.
        hyperparameters: Where to evaluate it.
    """
    covariance_NN = squareform(matern52(hyperparameters.lengthscales**-2.0 @ parts_GP), checks=False)
    np.fill_diagonal(covariance_NN, 1.0 + hyperparameters.noise_variance)
    factor_NN, failed = lapack.dpotrf(covariance_NN, lower=1, overwrite_a=1, clean=0)
    if failed:
        return -np.inf
    half_N, _ = lapack.dtrtrs(factor_NN, y_N, lower=1)
    return float(-0.5 * (half_N @ half_N) - np.log(np.diagonal(factor_NN)).sum()) + hyperparameters.log_prior()


def condition(x_ND: np.ndarray, y_N: np.ndarray, groups_D: np.ndarray, hyperparameters: Hyperparameters) -> Posterior:
    """Return what is known of f after observing y at x."""
    scale_D = hyperparameters.lengthscales[groups_D]
    points_ND = x_ND / scale_D
    covariance_NN = matern52(squareform(pdist(points_ND, "sqeuclidean")))
    np.fill_diagonal(covariance_NN, 1.0 + hyperparameters.noise_variance)
    factor_NN = np.linalg.cholesky(covariance_NN)
    return Posterior(points_ND, factor_NN, cho_solve((factor_NN, True), y_N, check_finite=False), scale_D)


def expected_improvement(mean_M: np.ndarray, sd_M: np.ndarray, incumbent: float) -> np.ndarray:
    """Return by how much f is expected to exceed the incumbent, counting less as nothing."""
    z_M = (mean_M - incumbent) / sd_M
    density_M = np.exp(-0.5 * z_M * z_M) / np.sqrt(2.0 * np.pi)
    return np.asarray(sd_M * (z_M * ndtr(z_M) + density_M))


def _squared(x_MD: np.ndarray, y_ND: np.ndarray) -> np.ndarray:
    """Return the squared distances between two sets of points, (M, N)."""
    squares = np.einsum("md,md->m", x_MD, x_MD)[:, None] + np.einsum("nd,nd->n", y_ND, y_ND)[None] - 2.0 * x_MD @ y_ND.T
    return np.asarray(np.maximum(squares, 0.0))
