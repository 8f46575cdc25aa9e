"""Public test functions with a fidelity: larger is better, z = 1 is the function itself, a smaller z is something like it.

All are negated where the literature minimises. Domains are those of the sources; M points are rows of an array (M, D), each at its
fidelity z of 0..1, one number or (M,).

Sources: Branin and Hartmann with fidelity: Kandasamy, Dasarathy, Schneider, Poczos, ICML 2017, arXiv:1703.06240, appendix. Currin's
exponential function and the borehole in two fidelities: Xiong, Qian, Wu, Technometrics 55, 2013; between the two the fidelity goes
in a straight line here.
"""

import numpy as np

BRANIN_BOUNDS = ((-5.0, 10.0), (0.0, 15.0))
BRANIN_BEST = -0.397887
BRANIN_OPTIMA = ((-np.pi, 12.275), (np.pi, 2.275), (9.42478, 2.475))

CURRIN_BOUNDS = ((0.0, 1.0), (0.0, 1.0))
CURRIN_BEST = 13.798722
CURRIN_OPTIMA = ((0.216666, 0.0),)

HARTMANN3_BEST = 3.862782
HARTMANN3_OPTIMA = ((0.114614, 0.555649, 0.852547),)
HARTMANN6_BEST = 3.322368
HARTMANN6_OPTIMA = ((0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573),)

# Radius of the borehole and of its influence, transmissivity and head of the upper and of the lower aquifer, length, conductivity.
BOREHOLE_BOUNDS = {
    "rw": (0.05, 0.15),
    "r": (100.0, 50_000.0),
    "tu": (63_070.0, 115_600.0),
    "hu": (990.0, 1_110.0),
    "tl": (63.1, 116.0),
    "hl": (700.0, 820.0),
    "length": (1_120.0, 1_680.0),
    "kw": (9_855.0, 12_045.0),
}
# The flow grows with these and falls with the others: the most water comes from a corner of the domain.
BOREHOLE_GROWS = ("rw", "tu", "hu", "tl", "kw")
BOREHOLE_OPTIMUM = tuple(bounds[name in BOREHOLE_GROWS] for name, bounds in BOREHOLE_BOUNDS.items())
BOREHOLE_BEST = 309.5756

_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_A3 = np.array([[3.0, 10, 30], [0.1, 10, 35], [3.0, 10, 30], [0.1, 10, 35]])
_P3 = 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]])
_A6 = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])
_P6 = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def branin(x_MD: np.ndarray, z: np.ndarray | float = 1.0) -> np.ndarray:
    """Return minus Branin's function, (M,), of D = 2; its three optima have the value BRANIN_BEST."""
    x1, x2 = x_MD.T
    b = 5.1 / (4 * np.pi**2) - 0.01 * (1 - z)
    c = 5 / np.pi - 0.1 * (1 - z)
    t = 1 / (8 * np.pi) + 0.05 * (1 - z)
    return np.asarray(-((x2 - b * x1**2 + c * x1 - 6) ** 2) - 10 * (1 - t) * np.cos(x1) - 10)


def hartmann3(x_MD: np.ndarray, z: np.ndarray | float = 1.0) -> np.ndarray:
    """Return minus Hartmann's function, (M,), of D = 3 on the unit cube."""
    return _hartmann(x_MD, z, _A3, _P3)


def hartmann6(x_MD: np.ndarray, z: np.ndarray | float = 1.0) -> np.ndarray:
    """Return minus Hartmann's function, (M,), of D = 6 on the unit cube."""
    return _hartmann(x_MD, z, _A6, _P6)


def currin(x_MD: np.ndarray, z: np.ndarray | float = 1.0) -> np.ndarray:
    """Return Currin's exponential function, (M,), of D = 2; at low fidelity the mean of four points around each."""
    below_MD, above_MD = x_MD.copy(), x_MD.copy()
    below_MD[:, 1], above_MD[:, 1] = np.maximum(x_MD[:, 1] - 0.05, 0.0), x_MD[:, 1] + 0.05
    shift_D = np.array([0.05, 0.0])
    low_M = np.mean([_currin(other_MD + sign * shift_D) for other_MD in (below_MD, above_MD) for sign in (-1, 1)], axis=0)
    return np.asarray(z * _currin(x_MD) + (1 - z) * low_M)


def borehole(x_MD: np.ndarray, z: np.ndarray | float = 1.0) -> np.ndarray:
    """Return the flow of water through a borehole, (M,), of the D = 8 parameters of BOREHOLE_BOUNDS."""
    rw, r, tu, hu, tl, hl, length, kw = x_MD.T
    log = np.log(r / rw)
    resistance = 2 * length * tu / (log * rw**2 * kw) + tu / tl
    high_M = 2 * np.pi * tu * (hu - hl) / (log * (1 + resistance))
    low_M = 5 * tu * (hu - hl) / (log * (1.5 + resistance))
    return np.asarray(z * high_M + (1 - z) * low_M)


def _hartmann(x_MD: np.ndarray, z: np.ndarray | float, a_4D: np.ndarray, p_4D: np.ndarray) -> np.ndarray:
    distances_M4 = (a_4D * (x_MD[:, None, :] - p_4D) ** 2).sum(axis=-1)
    return np.asarray((np.exp(-distances_M4) * (_ALPHA - 0.1 * (1 - np.reshape(z, (-1, 1))))).sum(axis=-1))


def _currin(x_MD: np.ndarray) -> np.ndarray:
    x1, x2 = x_MD.T
    with np.errstate(divide="ignore"):
        first_M = 1 - np.exp(-0.5 / x2)  # its limit at x2 = 0 is 1
    return np.asarray(first_M * (2300 * x1**3 + 1900 * x1**2 + 2092 * x1 + 60) / (100 * x1**3 + 500 * x1**2 + 4 * x1 + 20))
