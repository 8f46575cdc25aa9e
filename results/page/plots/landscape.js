// The loss landscape: how far training losses lie apart where only the learning rate differs. A narrow band: it hardly matters.

import { picked } from "../colour.js";
import { add, s } from "../dom.js";
import { plural, shortNames } from "../format.js";
import { axisBelow, axisLeft, extent, linear, log, path, spread } from "../scale.js";

const MOST = 6;  // bands in one picture

export const landscape = {
  id: "landscape",
  height: (width) => (width < 600 ? 300 : 360),

  message({ pictures: { landscape: { bands, unit } } }) {
    if (!bands.length) return { title: "No loss landscape here", empty: "It takes three trials or more that are alike in everything but the learning rate." };
    const shown = widest(bands), factor = (band) => band.high.at(-1) / band.low.at(-1);
    const narrow = shown.toSorted((a, b) => factor(a) - factor(b))[0];
    return {
      title: shown.length > 1 ? `${narrow.group} depends least on the learning rate` : `Losses differ by a factor of ${factor(narrow).toPrecision(2)} between learning rates`,
      subtitle: `Between the least and the greatest training loss of ${shown.length > 1 ? "each group of trials" : plural(shown[0].trials.length, "trial")} that differ in the learning rate alone, over ${unit}s (Santurkar et al., 2018).${bands.length > MOST ? ` The ${MOST} groups with most learning rates of ${bands.length}.` : ""}`,
    };
  },

  rows({ trials, pictures: { landscape: { bands, unit } } }) {
    return [["group", unit, "n", "low", "high", "trials"], ...bands.flatMap((band) => band.at.map((at, i) => [band.group, at, band.n[i], band.low[i], band.high[i], band.trials.map((place) => trials.values.trial[place]).join(" ")]))];
  },

  draw({ layer, width, height }, store) {
    const bands = widest(store.data.pictures.landscape.bands), { unit } = store.data.pictures.landscape, area = { left: 52, right: width - Math.min(240, width * 0.34), top: 32, bottom: height - 46 };
    const [low, high] = extent(bands.flatMap((band) => [...band.low, ...band.high]).filter((value) => value > 0));
    const y = log([low, high], [area.bottom, area.top]), x = linear([1, Math.max(2, ...bands.flatMap((band) => band.at))], [area.left, area.right]);
    add(layer, axisLeft(y, { ...area, name: "training loss, nats, lower is better" }), axisBelow(x, { ...area, y: area.bottom, n: width / 110, name: unit }));
    const labels = bands.map((band, i) => {
      const at = (values) => values.map((value, j) => [x(band.at[j]), y(Math.max(low, value))]);
      const outline = [...at(band.high), ...at(band.low).toReversed()];
      add(layer, s("path", { d: `${path(outline)}Z`, fill: picked(i), "fill-opacity": 0.22, stroke: picked(i), "stroke-width": 1 }));
      return { y: (at(band.high).at(-1)[1] + at(band.low).at(-1)[1]) / 2, colour: picked(i), text: band.group };
    });
    const most = Math.floor((width - area.right - 12) / 6.8), texts = shortNames(bands.map((band) => band.group), most);
    add(layer, ...spread(labels, 16, area.top, area.bottom).map((label) => s("text", { x: area.right + 8, y: label.y + 4, class: "label", style: `fill:${label.colour}` }, texts.get(label.text))));
    return {};
  },
};

const widest = (bands) => bands.toSorted((a, b) => b.trials.length - a.trials.length).slice(0, MOST);
