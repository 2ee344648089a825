// Draws many series on one chart with uPlot, an axis for each unit. The app tells a `.compare` element what to draw by an
// event, and leaves the same on its property `porticoCompare` in case this module comes later. Dragging over the chart
// asks the app for that part of time (`portico-zoom`).

// The version of frontend/package.json (a test of app compares them); the site build makes this file of it.
import uPlot from "/pkg/uplot-1.6.32.js";
import { EMPTY_NOTE, SMALLEST_DRAG_PX, full, labelWidth, number, style, timeLabels, yRange } from "/chart.js";

const charts = new WeakMap();
const HUES = 8;
const NARROW_PX = 560;
const LEGEND_SERIES = 12;

// A series with a hole where nothing came in three times the usual distance.
function withGaps(points, windowMs) {
  const distances = points.slice(1).map(([at], i) => at - points[i][0]).sort((a, b) => a - b);
  const gap = 3 * Math.max(windowMs, distances[(distances.length - 1) >> 1] ?? 0);
  const [times, values] = [[], []];
  points.forEach(([at, value], i) => {
    if (i > 0 && at - points[i - 1][0] > gap) {
      times.push((points[i - 1][0] + gap / 3) / 1000);
      values.push(null);
    }
    times.push(at / 1000);
    values.push(value);
  });
  return [times, values];
}

class Compare {
  constructor(host, what) {
    this.host = host;
    this.what = what;
    this.data = what.series.length ? uPlot.join(what.series.map(({ points }) => withGaps(points, what.windowMs))) : [[]];
    this.draw();
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(host);
    this.themes = new MutationObserver(() => this.redraw());
    this.themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.system = matchMedia("(prefers-color-scheme: dark)");
    this.onSystem = () => this.redraw();
    this.system.addEventListener("change", this.onSystem);
  }

  destroy() {
    this.sizes.disconnect();
    this.themes.disconnect();
    this.system.removeEventListener("change", this.onSystem);
    this.plot.destroy();
    this.host.classList.remove("drawn");
  }

  size() {
    const width = this.host.clientWidth;
    return { width, height: width < NARROW_PX ? 260 : 340 };
  }

  draw() {
    const { host, what } = this;
    const quiet = style(host, "--text-quiet");
    const font = `12px ${style(host, "--font") || "sans-serif"}`;
    const grid = { stroke: style(host, "--chart-grid"), width: 1 };
    const units = [...new Set(what.series.map(({ unit }) => unit))];
    // On a narrow screen there is room for two axes; the readout has the units of all.
    this.narrow = host.clientWidth < NARROW_PX;
    const axes = units.map((unit, i) => ({
      scale: `y:${unit}`,
      side: i % 2 ? 1 : 3,
      show: !this.narrow || i < 2,
      stroke: quiet,
      font,
      // One grid is enough.
      grid: i === 0 ? grid : { show: false },
      ticks: grid,
      size: labelWidth,
      values: (_plot, splits) => splits.map((at) => number(at) + (unit && ` ${unit}`)),
    }));
    const last = (i) => what.series[i].points.at(-1)?.[1];
    this.plot = new uPlot(
      {
        ...this.size(),
        // Beyond that the table beneath is the better reading.
        legend: { show: what.series.length <= LEGEND_SERIES },
        cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
        scales: {
          x: { time: true, range: () => [what.from / 1000, what.to / 1000] },
          ...Object.fromEntries(units.map((unit) => [`y:${unit}`, { range: yRange }])),
        },
        axes: [{ stroke: quiet, font, grid, ticks: grid, values: timeLabels, space: 64 }, ...axes],
        series: [
          { label: "Time", value: (_plot, at) => (at == null ? EMPTY_NOTE : full.format(new Date(at * 1000))) },
          ...what.series.map(({ label, unit, points }, i) => {
            const color = style(host, `--series-${(i % HUES) + 1}`);
            return {
              label,
              scale: `y:${unit}`,
              stroke: color,
              width: 1.75,
              // The colours come again: then dashed.
              dash: i >= HUES ? [6, 3] : undefined,
              points: { show: points.length <= 60, size: 5, fill: color },
              value: (_plot, value) => {
                const shown = value ?? (this.plot?.cursor.left >= 0 ? null : last(i));
                return shown == null ? EMPTY_NOTE : number(shown) + (unit && ` ${unit}`);
              },
            };
          }),
        ],
        hooks: { setSelect: [(plot) => this.zoom(plot)] },
      },
      this.data,
      host,
    );
    host.classList.add("drawn");
    this.resize();
  }

  redraw() {
    this.plot.destroy();
    this.draw();
  }

  resize() {
    if (this.host.clientWidth > 0 && this.narrow !== this.host.clientWidth < NARROW_PX) return this.redraw();
    const { width, height } = this.size();
    if (width > 0 && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  zoom(plot) {
    const { left, width } = plot.select;
    if (width < SMALLEST_DRAG_PX) return;
    const from = Math.floor(plot.posToVal(left, "x") * 1000);
    const to = Math.ceil(plot.posToVal(left + width, "x") * 1000);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.host.dispatchEvent(new CustomEvent("portico-zoom", { bubbles: true, detail: { from, to } }));
  }
}

function show(host, what) {
  charts.get(host)?.destroy();
  charts.set(host, new Compare(host, what));
}

document.addEventListener("portico-compare", ({ target, detail }) => show(target, detail));
document.querySelectorAll(".compare").forEach((host) => host.porticoCompare && show(host, host.porticoCompare));

// What the app takes away stops.
new MutationObserver((changes) => {
  for (const { removedNodes } of changes) {
    for (const node of removedNodes) {
      if (!(node instanceof Element) || node.isConnected) continue;
      for (const host of [node, ...node.querySelectorAll(".compare")]) {
        charts.get(host)?.destroy();
        charts.delete(host);
      }
    }
  }
}).observe(document.body, { childList: true, subtree: true });
