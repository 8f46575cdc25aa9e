// How many trials reached each rung, how many went on, and what that saved.

import { add, s } from "../dom.js";
import { count, percent, plural, score } from "../format.js";

const ROW = 58;

export const funnel = {
  id: "funnel",
  height: (width, { pictures: { funnel: rungs } }) => rungs.rung_epochs.length * ROW + 8,

  message({ sweep, pictures: { funnel: rungs, savings, discarded } }) {
    if (!rungs.reached?.some(Boolean)) return { title: "No rung reached yet", empty: `Trials are compared after ${[...sweep.ladder, sweep.max_epochs].join(", ")} epochs; none has got so far.` };
    const last = rungs.reached.at(-1);
    const title = !last ? `None of ${plural(rungs.reached[0], "trial")} is trained in full yet` : sweep.ladder.length ? `${plural(last, "trial")} of ${count(rungs.reached[0])} ${last === 1 ? "was" : "were"} trained in full` : `${plural(last, "trial")} trained in full`;
    const saved = savings.share > 0.005 ? `Early stopping trained ${count(savings.epochs)} of the ${count(savings.epochs_in_full)} epochs that all trials in full would need: ${percent(savings.share, 0)} less device time. ` : "";
    const lost = discarded.probability === null ? (discarded.n ? `Whether a dropped trial would have won cannot be said: ${discarded.remark}.` : "")
      : `Chance that one of the ${count(discarded.n)} dropped would have won: ${percent(discarded.probability, 0)} (95 % interval ${percent(discarded.low, 0)} to ${percent(discarded.high, 0)}).`;
    return { title, subtitle: saved + lost };
  },

  rows({ pictures: { funnel: rungs } }) {
    const names = Object.keys(rungs);
    return [names, ...rungs.rung_epochs.map((_, i) => names.map((name) => rungs[name][i]))];
  },

  draw({ layer, width }, store) {
    const { sweep, pictures: { funnel: rungs } } = store.data, most = Math.max(...rungs.reached), left = 76;
    const scale = (n) => (n / most) * (width - left - 4);
    rungs.rung_epochs.forEach((rung, i) => {
      const y = i * ROW + 4, last = i === rungs.rung_epochs.length - 1, reached = rungs.reached[i], on = rungs.went_on[i];
      add(layer,
        s("text", { x: 0, y: y + 17, class: "strong" }, last ? "in full" : `rung ${i + 1}`),
        s("text", { x: 0, y: y + 34, class: "label" }, plural(rung, "epoch")),
        s("rect", { x: left, y: y + 4, width: scale(reached), height: 18, fill: "var(--mute)" }),
        s("rect", { x: left, y: y + 4, width: scale(last ? reached : on), height: 18, fill: last ? "var(--accent)" : "var(--steel)" }),
        s("text", { x: left, y: y + 39, class: "label" }, !reached ? "nobody yet" : last ? `${count(reached)} finished · best ${score(sweep, rungs.best[i])}`
          : `${count(on)} of ${count(reached)} went on${rungs.cutoff[i] === null ? "" : ` · worst of them ${score(sweep, rungs.cutoff[i])}`}${width < 420 ? "" : ` · median ${score(sweep, rungs.median[i])}`}`),
      );
    });
    return {};
  },
};
