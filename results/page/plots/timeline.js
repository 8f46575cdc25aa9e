// Who trained what, when: one bar a segment, one row a worker.

import { add, s } from "../dom.js";
import { clipped, moment, percent, plural } from "../format.js";
import { axisBelow, linear } from "../scale.js";

const UNITS = [[3600 * 3, 3600, "hours"], [180, 60, "minutes"], [0, 1, "seconds"]];
const LABELLED = 24;  // workers whose names are written

const rowHeight = (n) => (n <= LABELLED ? 22 : Math.max(3, Math.floor(528 / n)));

export const timeline = {
  id: "timeline",
  colours: true,
  height: (width, { pictures: { timeline: told } }) => told.workers.length * rowHeight(told.workers.length) + 56,

  message({ pictures: { timeline: told } }) {
    if (!told.bars.length) return { title: "Nobody has trained yet", empty: "Bars appear with the first epoch that a worker reports." };
    return {
      title: `${plural(told.workers.length, "worker")}, busy ${percent(told.busy, 0)} of the time`,
      subtitle: `One bar for each stretch that a worker trained a trial without a break, the brighter the higher it stands. From ${moment(told.from)} UTC.`,
    };
  },

  rows({ trials, pictures: { timeline: { workers, bars } } }) {
    return [["worker", "trial", "from_epoch", "until_epoch", "started_s", "ended_s"], ...bars.map(([worker, place, ...rest]) => [workers[worker], trials.values.trial[place], ...rest])];
  },

  draw({ layer, width, height }, store) {
    const { workers, bars } = store.data.pictures.timeline, row = rowHeight(workers.length), names = workers.length <= LABELLED;
    const left = names ? Math.min(width * 0.3, 16 + 6.6 * Math.max(...workers.map((worker) => worker.length))) : 4, bottom = workers.length * row + 2;
    const last = Math.max(...bars.map((bar) => bar[5])), [, unit, name] = UNITS.find(([least]) => last >= least);
    const x = linear([0, last / unit], [left, width - 12]);
    const most = Math.floor(left / 6.6);
    if (names) add(layer, ...workers.map((worker, i) => s("text", { x: left - 10, y: i * row + row / 2 + 4, "text-anchor": "end", class: "label" }, clipped(worker, most))));
    add(layer, axisBelow(x, { left, right: width - 12, y: bottom + 4, n: width / 110, name: `${name} since the first epoch` }));
    const boxes = bars.map(([worker, place, , , from, to]) => ({ place, x: x(from / unit), y: worker * row + (row > 6 ? 2 : 0), width: Math.max(1, x(to / unit) - x(from / unit) - 0.7), height: Math.max(1, row - (row > 6 ? 4 : 0)) }));
    const rect = (box, fill, more = {}) => s("rect", { x: box.x, y: box.y, width: box.width, height: box.height, fill, ...more });
    add(layer, ...boxes.map((box) => rect(box, store.colour(box.place), { opacity: store.isShown(box.place) ? null : 0.15 })));
    return {
      nearest: (px, py) => boxes.find((box) => px >= box.x - 1 && px <= box.x + box.width + 1 && py >= box.y && py <= box.y + box.height)?.place ?? null,
      highlight: (over) => {
        const places = new Set(store.highlighted());
        add(over, ...boxes.filter((box) => places.has(box.place)).map((box) => rect(box, store.colour(box.place), { stroke: "var(--ink)", "stroke-width": 1.5 })));
      },
    };
  },
};
