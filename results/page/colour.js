// Colours that carry meaning. The page's own are CSS variables; these are computed.

// Okabe and Ito's palette, without black and yellow, which vanish on one of the two surfaces; the most distinct first.
const PICKED = { light: ["#bf5000", "#007a5a", "#a8447f", "#0072b2", "#8f5f00", "#1f7aad"], dark: ["#ff8a3d", "#2fc99a", "#e79bc6", "#4aa8e8", "#e6b422", "#8fd0f5"] };

// Viridis at ten steps (matplotlib). Better is brighter; the ends that would vanish on the surface are left out.
const VIRIDIS = [[68, 1, 84], [72, 40, 120], [62, 74, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137], [53, 183, 121], [109, 205, 89], [180, 222, 44], [253, 231, 37]];
const PART = { light: [0, 0.74], dark: [0.28, 1] };

export const theme = () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light");

/** Return the colour of a standing, 0 worst to 1 best. */
export function viridis(standing) {
  const [low, high] = PART[theme()];
  const place = (low + standing * (high - low)) * (VIRIDIS.length - 1), below = Math.min(VIRIDIS.length - 2, Math.floor(place)), share = place - below;
  const mix = VIRIDIS[below].map((part, i) => Math.round(part + share * (VIRIDIS[below + 1][i] - part)));
  return `rgb(${mix.join(",")})`;
}

/** Return the colour of the n-th picked trial. */
export const picked = (n) => PICKED[theme()][n % PICKED.light.length];
