// Draws time series with uPlot. The app tells a `.chart` element what to draw by an event, and leaves the same on its
// property `porticoChart` in case this module comes later; new points come by another event. Dragging over the chart
// asks the app for that part of time (`portico-zoom`): the address changes, and so the aggregation.

// The version of frontend/package.json (a test of app compares them); the site build makes this file of it.
import uPlot from "/pkg/uplot-1.6.32.js";

const charts = new WeakMap();
const SMALLEST_DRAG_PX = 8;
const EMPTY_NOTE = "–";

const style = (host, name) => getComputedStyle(host).getPropertyValue(name).trim();
const language = navigator.language;
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const seconds = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });

// As `number_text` of the app does.
const number = (value) => {
  if (value == null) return EMPTY_NOTE;
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return String(value);
  if (size < 0.001 || size >= 1e9) return value.toExponential(2);
  return value.toFixed(size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 3);
};

const timeLabels = (_chart, splits, _axis, _space, step) =>
  splits.map((at, position) => {
    const date = new Date(at * 1000);
    if (step >= 86400) return day.format(date);
    const text = step < 60 ? seconds.format(date) : clock.format(date);
    const isMidnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
    return isMidnight || (position === 0 && step >= 3600) ? `${text}\n${day.format(date)}` : text;
  });

class Chart {
  constructor(host, { series, unit, live, limits }) {
    this.host = host;
    this.limits = limits ?? [];
    this.unit = unit ? ` ${unit}` : "";
    this.live = live;
    this.bucketMs = series.bucket_ms;
    this.from = Date.parse(series.from);
    this.to = Date.parse(series.to);
    this.length = this.to - this.from;
    // The browser's clock may differ from the server's: the right edge moves with it, but starts where the server says.
    this.clockLead = Date.now() - this.to;
    this.buckets = series.buckets.map(({ ts, count, mean, min, max }) => ({ ts: Date.parse(ts), count, mean, min, max }));
    this.draw();
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(host);
    this.themes = new MutationObserver(() => this.redraw());
    this.themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    this.system = matchMedia("(prefers-color-scheme: dark)");
    this.onSystem = () => this.redraw();
    this.system.addEventListener("change", this.onSystem);
    // A live chart moves on although nothing comes: silence shows as a growing gap.
    if (live) this.clock = setInterval(() => this.refresh(), Math.max(1000, this.length / 600));
  }

  destroy() {
    clearInterval(this.clock);
    this.sizes.disconnect();
    this.themes.disconnect();
    this.system.removeEventListener("change", this.onSystem);
    this.plot.destroy();
    this.host.classList.remove("drawn");
  }

  // Nothing came in three times the usual distance: a gap.
  gap() {
    const distances = [];
    for (let i = 1; i < this.buckets.length; i += 1) distances.push(this.buckets[i].ts - this.buckets[i - 1].ts);
    distances.sort((a, b) => a - b);
    return 3 * Math.max(this.bucketMs, distances[(distances.length - 1) >> 1] ?? 0);
  }

  data() {
    const gap = this.gap();
    const columns = [[], [], [], []];
    const push = (ts, mean, min, max) => [ts / 1000, mean, min, max].forEach((value, at) => columns[at].push(value));
    let before = null;
    for (const { ts, mean, min, max } of this.buckets) {
      if (before !== null && ts - before > gap) push(before + gap / 3, null, null, null);
      push(ts, mean, min, max);
      before = ts;
    }
    return columns;
  }

  bounds() {
    if (!this.live) return [this.from / 1000, this.to / 1000];
    const now = Math.max(Date.now() - this.clockLead, this.buckets.at(-1)?.ts ?? 0);
    return [(now - this.length) / 1000, now / 1000];
  }

  size() {
    const legend = this.host.querySelector(".u-legend")?.offsetHeight ?? 32;
    return { width: this.host.clientWidth, height: Math.max(120, this.host.clientHeight - legend) };
  }

  draw() {
    const { host } = this;
    const quiet = style(host, "--text-quiet");
    const font = `12px ${style(host, "--font") || "sans-serif"}`;
    const grid = { stroke: style(host, "--chart-grid"), width: 1 };
    const readout = (field) => (_plot, value) => {
      const shown = value ?? this.buckets.at(-1)?.[field];
      return shown == null ? EMPTY_NOTE : number(shown) + this.unit;
    };
    const line = style(host, "--chart-line");
    const fewPoints = this.buckets.length <= 60;
    this.plot = new uPlot(
      {
        ...this.size(),
        cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 } },
        scales: { x: { time: true, range: () => this.bounds() }, y: { range: (_plot, low, high) => this.valueRange(low, high) } },
        axes: [
          { stroke: quiet, font, grid, ticks: grid, values: timeLabels, space: 64 },
          { stroke: quiet, font, grid, ticks: grid, size: labelWidth, values: (_plot, splits) => splits.map((at) => number(at) + this.unit) },
        ],
        bands: [{ series: [3, 2], fill: style(host, "--chart-band") }],
        series: [
          { label: "Time", value: (_plot, at) => full.format(new Date((at ?? (this.buckets.at(-1)?.ts ?? Date.now()) / 1000) * 1000)) },
          { label: "Mean", stroke: line, width: 1.75, points: { show: fewPoints, size: 5, fill: line }, value: readout("mean") },
          { label: "Lowest", points: { show: false }, value: readout("min") },
          { label: "Highest", points: { show: false }, value: readout("max") },
        ],
        hooks: { setSelect: [(plot) => this.zoom(plot)], draw: [(plot) => this.drawLimits(plot)] },
      },
      this.data(),
      host,
    );
    host.classList.add("drawn");
    this.resize();
  }

  // A limit that is not far off is in the picture: one sees how near it is.
  valueRange(low, high) {
    if (low == null || high == null) return yRange(null, low, high);
    const reach = Math.max(high - low, Math.abs(high) * 0.25, 1);
    for (const { limit } of this.limits) {
      if (limit > high && limit - high <= reach) high = limit;
      if (limit < low && low - limit <= reach) low = limit;
    }
    return yRange(null, low, high);
  }

  drawLimits({ ctx, bbox, valToPos, scales }) {
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.font = `${12 * devicePixelRatio}px ${style(this.host, "--font") || "sans-serif"}`;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    for (const { limit, severity, name } of this.limits) {
      if (limit < scales.y.min || limit > scales.y.max) continue;
      const colour = style(this.host, severity === "critical" ? "--danger" : severity === "warning" ? "--attention" : "--unknown");
      const y = Math.round(valToPos(limit, "y", true));
      ctx.strokeStyle = colour;
      ctx.fillStyle = colour;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.fillText(name, bbox.left + 6 * devicePixelRatio, y - 2 * devicePixelRatio, bbox.width);
    }
    ctx.restore();
  }

  redraw() {
    this.plot.destroy();
    this.draw();
  }

  resize() {
    const { width, height } = this.size();
    if (width > 0 && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  refresh() {
    this.plot.setData(this.data());
  }

  zoom(plot) {
    const { left, width } = plot.select;
    if (width < SMALLEST_DRAG_PX) return;
    const from = Math.floor(plot.posToVal(left, "x") * 1000);
    const to = Math.ceil(plot.posToVal(left + width, "x") * 1000);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.host.dispatchEvent(new CustomEvent("portico-zoom", { bubbles: true, detail: { from, to } }));
  }

  append(points) {
    for (const [at, value] of points) {
      const ts = Math.floor(at / this.bucketMs) * this.bucketMs;
      let position = this.buckets.length;
      while (position > 0 && this.buckets[position - 1].ts > ts) position -= 1;
      const bucket = this.buckets[position - 1];
      if (bucket?.ts === ts) {
        bucket.mean = (bucket.mean * bucket.count + value) / (bucket.count + 1);
        bucket.count += 1;
        bucket.min = Math.min(bucket.min, value);
        bucket.max = Math.max(bucket.max, value);
      } else {
        this.buckets.splice(position, 0, { ts, count: 1, mean: value, min: value, max: value });
      }
    }
    const [oldest] = this.bounds();
    // One bucket beyond the edge stays, so that the line enters the picture from outside.
    while (this.buckets.length > 2 && this.buckets[1].ts < oldest * 1000) this.buckets.shift();
    this.refresh();
  }
}

// As wide as the widest label.
const labelWidth = (_plot, labels) => 18 + 7.2 * Math.max(4, ...(labels ?? []).map((label) => label.length));

// Flat series get room above and below; others a tenth.
function yRange(_plot, low, high) {
  if (low == null || high == null) return [0, 1];
  const room = high > low ? (high - low) * 0.1 : Math.max(Math.abs(high) * 0.05, 0.5);
  return [low - room, high + room];
}

function show(host, what) {
  charts.get(host)?.destroy();
  charts.set(host, new Chart(host, what));
}

document.addEventListener("portico-chart", ({ target, detail }) => show(target, detail));
document.addEventListener("portico-points", ({ target, detail }) => charts.get(target)?.append(detail));
document.querySelectorAll(".chart").forEach((host) => host.porticoChart && show(host, host.porticoChart));

// What the app takes away stops.
new MutationObserver((changes) => {
  for (const { removedNodes } of changes) {
    for (const node of removedNodes) {
      if (!(node instanceof Element) || node.isConnected) continue;
      for (const host of [node, ...node.querySelectorAll(".chart")]) {
        charts.get(host)?.destroy();
        charts.delete(host);
      }
    }
  }
}).observe(document.body, { childList: true, subtree: true });

// For compare.js.
export { EMPTY_NOTE, SMALLEST_DRAG_PX, full, labelWidth, number, style, timeLabels, yRange };
