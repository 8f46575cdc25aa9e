// What pictures of parameters share: their order, and their axes.

import { band, extent, linear, log } from "../scale.js";

const FEW = 6;  // values of a number that get equal shares of an axis

/** Return the parameters in which trials differ, the most important first where that is known. */
export function ordered({ parameters, pictures }) {
  const order = new Map(pictures.importance.rows.parameter.map((path, i) => [path, i]));
  return parameters.filter((parameter) => parameter.varies).toSorted((a, b) => (order.get(a.path) ?? 99) - (order.get(b.path) ?? 99));
}

/** Return an axis for a parameter's values: categories and few numbers in equal shares, else linear or logarithmic. */
export function valueScale(parameter, column, pixels) {
  if (!parameter.number) return band(parameter.values, pixels);
  const present = column.filter((value) => value !== null), different = [...new Set(present)].toSorted((a, b) => a - b);
  if (different.length <= FEW) {
    const scale = band(different, pixels);
    scale.label = (value) => linear([0, 1], [0, 1]).label(value);
    return scale;
  }
  return (parameter.log ? log : linear)(extent(present), pixels);
}
