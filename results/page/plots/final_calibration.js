// Whether the model is as sure as it is right: reliability by bins of confidence, before and after the temperature.

import { add, s } from "../dom.js";
import { number, percent } from "../format.js";
import { axisBelow, axisLeft, linear, path } from "../scale.js";

const LARGEST = 7, SMALLEST = 2.5;  // pixels of a dot's radius

export const calibration = {
  id: "final-calibration",
  height: (width) => Math.min(380, Math.max(300, width * 0.8)),

  message({ final }) {
    const told = final.calibration;
    if (!told) return { title: "", absent: true, empty: "No calibration." };
    const { before, after, temperature } = told, images = before.bins.reduce((sum, bin) => sum + bin.examples, 0);
    const mean = (name) => before.bins.reduce((sum, bin) => sum + bin.examples * bin[name], 0) / images;
    const gap = mean("confidence") - mean("accuracy"), off = `off by ${percent(before.error)} on average`;
    const lean = Math.abs(gap) < 0.005 ? "As sure as it is right" : gap > 0 ? "Surer than it is right" : "Less sure than it is right";
    return {
      title: temperature === 1 ? `${lean}: ${off}` : `${lean}: ${off}, ${percent(after.error)} with the temperature ${number(temperature)}`,
      subtitle: `Test images in bins of confidence: how sure the model is against how often it is right, with 95 % intervals; larger dots, more images. On the line it is as sure as it is right. ${temperature === 1 ? "No temperature was fitted." : "The temperature divides the logits; validation fitted it, and it changes no prediction."}`,
    };
  },

  rows({ final: { calibration: told } }) {
    const names = ["examples", "confidence", "accuracy", "low", "high"];
    return [["temperature", ...names], ...[["1", told.before], [String(told.temperature), told.after]].flatMap(([temperature, part]) => part.bins.map((bin) => [temperature, ...names.map((name) => bin[name])]))];
  },

  draw({ layer, width, height }, { data: { final } }) {
    const told = final.calibration, area = { left: 52, right: Math.min(width - 12, 52 + (height - 78) * 1.35), top: 32, bottom: height - 46 };
    const lowest = Math.min(...[...told.before.bins, ...told.after.bins].flatMap((bin) => [bin.confidence, bin.accuracy]));
    const from = Math.min(80, Math.max(0, Math.floor(lowest * 10) * 10)), x = linear([from, 100], [area.left, area.right]), y = linear([from, 100], [area.bottom, area.top]);
    const most = Math.max(...told.before.bins.map((bin) => bin.examples), ...told.after.bins.map((bin) => bin.examples));
    add(layer, axisLeft(y, { ...area, name: "right, %" }), axisBelow(x, { ...area, y: area.bottom, n: width / 100, name: "confidence, %" }),
      s("line", { class: "zero", x1: area.left, x2: area.right, y1: area.bottom, y2: area.top, "stroke-dasharray": "2 3" }));
    const parts = [{ bins: told.before.bins, colour: "var(--steel)", hollow: true, text: "as it is" }];
    if (told.temperature !== 1) parts.push({ bins: told.after.bins, colour: "var(--accent)", hollow: false, text: `with the temperature ${number(told.temperature)}` });
    parts.forEach(({ bins, colour, hollow, text }, i) => {
      const at = (bin) => [x(bin.confidence * 100) + (i ? 2 : -2), y(bin.accuracy * 100)];
      add(layer, bins.map((bin) => s("line", { x1: at(bin)[0], x2: at(bin)[0], y1: y(Math.max(from / 100, bin.low) * 100), y2: y(bin.high * 100), stroke: colour, "stroke-width": 1.5, "stroke-opacity": 0.5 })),
        s("path", { class: "line", d: path(bins.map(at)), stroke: colour, "stroke-opacity": 0.4 }),
        bins.map((bin) => s("circle", { cx: at(bin)[0], cy: at(bin)[1], r: SMALLEST + (LARGEST - SMALLEST) * Math.sqrt(bin.examples / most), fill: hollow ? "var(--surface)" : colour, stroke: hollow ? colour : "var(--surface)", "stroke-width": 1.5 })),
        s("circle", { cx: area.left + 14, cy: area.top + 10 + i * 18, r: 4.5, fill: hollow ? "var(--surface)" : colour, stroke: hollow ? colour : "var(--surface)", "stroke-width": 1.5 }),
        s("text", { x: area.left + 26, y: area.top + 14 + i * 18, class: hollow ? "label halo-text" : "label accent halo-text" }, text));
    });
    return {};
  },
};
