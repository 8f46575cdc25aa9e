"""The Gaussian process against sums that can be done another way."""

import numpy as np
import pytest
from scipy import integrate, stats

from tuner.samplers import gaussian_process as gp

GROUPS = np.array([0, 0, 1])  # three coordinates, two parameters


def observed(num: int = 25) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x_ND = rng.random((num, 3))
    y_N = np.sin(5 * x_ND[:, 0]) + x_ND[:, 2] + 0.1 * rng.standard_normal(num)
    return x_ND, (y_N - y_N.mean()) / y_N.std()


def covariance(x_MD: np.ndarray, y_ND: np.ndarray, lengthscales: np.ndarray) -> np.ndarray:
    """Matern 5/2 as the book writes it (its equation 4.17), pair by pair."""
    found = np.empty((len(x_MD), len(y_ND)))
    for i, x in enumerate(x_MD):
        for j, y in enumerate(y_ND):
            r = np.sqrt((((x - y) / lengthscales[GROUPS]) ** 2).sum())
            found[i, j] = (1 + np.sqrt(5) * r + 5 * r**2 / 3) * np.exp(-np.sqrt(5) * r)
    return found


def test_posterior_is_that_of_a_direct_solve() -> None:
    x_ND, y_N = observed()
    hyperparameters = gp.Hyperparameters(np.array([-0.5, 0.4, -1.2]))
    at_MD = np.random.default_rng(4).random((7, 3))
    mean_M, sd_M = gp.condition(x_ND, y_N, GROUPS, hyperparameters).predict(at_MD)
    lengthscales, noise = np.exp([-0.5, 0.4]), np.exp(-2.4) + gp.JITTER
    inverse_NN = np.linalg.inv(covariance(x_ND, x_ND, lengthscales) + noise * np.eye(len(x_ND)))
    k_MN = covariance(at_MD, x_ND, lengthscales)
    np.testing.assert_allclose(mean_M, k_MN @ inverse_NN @ y_N, rtol=1e-9)
    np.testing.assert_allclose(sd_M**2, 1 - np.diag(k_MN @ inverse_NN @ k_MN.T), rtol=1e-7)


def test_means_at_the_observed_points_are_predictions_there() -> None:
    x_ND, y_N = observed()
    posterior = gp.condition(x_ND, y_N, GROUPS, gp.Hyperparameters.prior(2))
    np.testing.assert_allclose(posterior.means(), posterior.predict(x_ND)[0], rtol=1e-9)


def test_log_posterior_is_the_normal_density_times_the_priors_up_to_a_constant() -> None:
    x_ND, y_N = observed()
    parts_GP = np.stack([gp.pdist(x_ND[:, group == GROUPS], "sqeuclidean") for group in range(2)])

    def directly(log_G1: np.ndarray) -> float:
        covariance_NN = covariance(x_ND, x_ND, np.exp(log_G1[:2])) + (np.exp(2 * log_G1[2]) + gp.JITTER) * np.eye(len(x_ND))
        prior = stats.norm.logpdf(log_G1, [0.3, 0.3, -1.0], 1.0).sum()
        return float(stats.multivariate_normal.logpdf(y_N, np.zeros(len(y_N)), covariance_NN) + prior)

    tried = [np.array(values) for values in ([0.3, 0.3, -1.0], [-1.0, 0.5, -2.0], [1.0, -0.7, 0.1])]
    differences = [gp.log_posterior(parts_GP, y_N, gp.Hyperparameters(one)) - directly(one) for one in tried]
    np.testing.assert_allclose(differences, differences[0], rtol=1e-9)


def test_a_fit_tells_the_parameter_that_matters_from_the_one_that_does_not() -> None:
    rng = np.random.default_rng(5)
    x_ND = rng.random((80, 2))
    y_N = np.sin(8 * x_ND[:, 0])
    fitted = gp.fit(x_ND, y_N / y_N.std(), np.array([0, 1]), gp.Hyperparameters.prior(2), rng, num_tries=200, step=0.5)
    assert fitted.lengthscales[0] < 0.3 * fitted.lengthscales[1]
    assert fitted.noise_variance < 0.05


def test_a_fit_never_ends_below_its_start() -> None:
    x_ND, y_N = observed()
    parts_GP = np.stack([gp.pdist(x_ND[:, group == GROUPS], "sqeuclidean") for group in range(2)])
    start = gp.Hyperparameters(np.array([-1.0, 2.0, 0.0]))
    for seed in range(5):
        fitted = gp.fit(x_ND, y_N, GROUPS, start, np.random.default_rng(seed), num_tries=3, step=1.0)
        assert gp.log_posterior(parts_GP, y_N, fitted) >= gp.log_posterior(parts_GP, y_N, start)


@pytest.mark.parametrize(("mean", "sd", "incumbent"), [(0.0, 1.0, 0.0), (-1.0, 0.5, 0.3), (2.0, 0.1, 1.0)])
def test_expected_improvement_is_the_integral_of_the_improvement(mean: float, sd: float, incumbent: float) -> None:
    integral, _ = integrate.quad(lambda f: (f - incumbent) * stats.norm.pdf(f, mean, sd), incumbent, mean + 12 * sd + abs(incumbent))
    found = gp.expected_improvement(np.array([mean]), np.array([sd]), incumbent)
    np.testing.assert_allclose(found, [integral], rtol=1e-6)


def test_equal_points_without_noise_can_be_observed() -> None:
    x_ND = np.zeros((5, 3))
    posterior = gp.condition(x_ND, np.ones(5), GROUPS, gp.Hyperparameters(np.array([0.0, 0.0, -20.0])))
    mean_M, sd_M = posterior.predict(np.zeros((1, 3)))
    assert mean_M[0] == pytest.approx(1.0, abs=1e-4)
    assert 0 < sd_M[0] < 1e-2
