"""How sure a share of counted images is."""

import math

Z_95 = 1.959964  # two-sided 95 % of a normal distribution


def wilson(share: float, examples: int, *, z: float = Z_95) -> tuple[float, float]:
    """Return the interval that holds the true share with the confidence of z; never leaves 0..1.

    Args:
        share: Seen, 0..1.
        examples: What it was counted over, >= 1.
        z: Quantile of the normal distribution.

    Source:
        E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927.
    """
    scale = 1 + z**2 / examples
    centre = (share + z**2 / (2 * examples)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / examples + z**2 / (4 * examples**2))
    return max(0.0, centre - half), min(1.0, centre + half)
