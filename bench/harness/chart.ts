/**
 * A small SVG writer for line and bar charts: enough for the README, no library. White ground, so that it reads in dark
 * mode too; series differ by dash and marker as well as by colour.
 */

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
  readonly dashed?: boolean;
}

export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  readonly logarithmic?: boolean;
  readonly markers?: boolean;
}

export interface BarChart {
  readonly title: string;
  readonly xLabel: string;
  readonly bars: readonly {
    readonly name: string;
    readonly value: number;
    readonly ours?: boolean;
  }[];
}

// Okabe and Ito's palette: told apart by readers with colour-blindness.
const colours = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#000000",
  "#999999",
];
const width = 720;
const font = `font-family="system-ui, sans-serif" font-size="12" fill="#222"`;

const escape = (words: string) =>
  words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function text(x: number, y: number, words: string, extra = ""): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${extra}>${escape(words)}</text>`;
}

function frame(height: number, title: string, content: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escape(title)}" ${font}>
<rect width="${width}" height="${height}" fill="#fff"/>
${text(16, 24, title, 'font-size="15" font-weight="600"')}
${content.join("\n")}
</svg>
`;
}

/** Round numbers from 0 to the top, about five of them. */
function linearTicks(top: number): number[] {
  const rough = top / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.ceil(top / step) + 1 }, (_, i) => i * step);
}

function logTicks(bottom: number, top: number): number[] {
  const first = Math.floor(Math.log10(bottom));
  const last = Math.ceil(Math.log10(top));
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

const tickText = (value: number) => String(Number(value.toPrecision(3)));

export function lineChart(chart: LineChart): string {
  const height = 400;
  const area = { left: 64, right: 190, top: 44, bottom: 48 };
  const series = chart.series.filter(({ points }) => points.length > 0);
  const xs = series.flatMap(({ points }) => points.map(([x]) => x));
  const ys = series.flatMap(({ points }) => points.map(([, y]) => y)).filter((y) => y > 0);
  if (xs.length === 0 || ys.length === 0) return frame(height, `${chart.title}: not measured`, []);
  const xTicks = linearTicks(Math.max(...xs));
  const yTicks =
    chart.logarithmic === true
      ? logTicks(Math.min(...ys), Math.max(...ys))
      : linearTicks(Math.max(...ys));
  const xTop = xTicks.at(-1) ?? 1;
  const scale = (value: number) => (chart.logarithmic === true ? Math.log10(value) : value);
  const yLow = scale(yTicks[0] ?? 0);
  const yHigh = scale(yTicks.at(-1) ?? 1);
  const x = (value: number) => area.left + (value / xTop) * (width - area.left - area.right);
  const y = (value: number) =>
    height -
    area.bottom -
    ((scale(value) - yLow) / (yHigh - yLow)) * (height - area.top - area.bottom);
  const content = [
    ...yTicks.flatMap((tick) => [
      `<line x1="${area.left}" x2="${width - area.right}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}" stroke="#e3e3e3"/>`,
      text(area.left - 8, y(tick) + 4, tickText(tick), 'text-anchor="end"'),
    ]),
    ...xTicks.map((tick) =>
      text(x(tick), height - area.bottom + 18, tickText(tick), 'text-anchor="middle"'),
    ),
    text((area.left + width - area.right) / 2, height - 10, chart.xLabel, 'text-anchor="middle"'),
    text(area.left, area.top - 4, chart.yLabel),
  ];
  for (const [i, { name, points, dashed }] of series.entries()) {
    const colour = colours[i % colours.length] ?? "#000";
    const dash = dashed === true ? ' stroke-dasharray="5 4"' : "";
    const shown = points.filter(([, value]) => chart.logarithmic !== true || value > 0);
    const path = shown.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" ");
    content.push(
      `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"${dash}/>`,
    );
    if (chart.markers !== false)
      for (const [px, py] of shown)
        content.push(
          `<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="3" fill="${colour}"/>`,
        );
    const row = area.top + 10 + i * 20;
    content.push(
      `<line x1="${width - area.right + 12}" x2="${width - area.right + 36}" y1="${row}" y2="${row}" stroke="${colour}" stroke-width="2"${dash}/>`,
      text(width - area.right + 42, row + 4, name),
    );
  }
  return frame(height, chart.title, content);
}

export function barChart(chart: BarChart): string {
  const rowHeight = 30;
  const area = { left: 210, right: 70, top: 44, bottom: 44 };
  const height = area.top + area.bottom + chart.bars.length * rowHeight;
  const top = Math.max(...chart.bars.map(({ value }) => value), 0);
  if (top === 0) return frame(height, `${chart.title}: not measured`, []);
  const ticks = linearTicks(top);
  const x = (value: number) =>
    area.left + (value / (ticks.at(-1) ?? top)) * (width - area.left - area.right);
  const content = ticks.flatMap((tick) => [
    `<line x1="${x(tick).toFixed(1)}" x2="${x(tick).toFixed(1)}" y1="${area.top}" y2="${height - area.bottom}" stroke="#e3e3e3"/>`,
    text(x(tick), height - area.bottom + 16, tickText(tick), 'text-anchor="middle"'),
  ]);
  for (const [i, { name, value, ours }] of chart.bars.entries()) {
    const row = area.top + i * rowHeight;
    content.push(
      `<rect x="${area.left}" y="${row + 5}" width="${(x(value) - area.left).toFixed(1)}" height="${rowHeight - 10}" fill="${ours === true ? colours[0] : "#a9a9a9"}"/>`,
      text(area.left - 8, row + rowHeight / 2 + 4, name, 'text-anchor="end"'),
      text(x(value) + 6, row + rowHeight / 2 + 4, tickText(value)),
    );
  }
  content.push(
    text((area.left + width - area.right) / 2, height - 8, chart.xLabel, 'text-anchor="middle"'),
  );
  return frame(height, chart.title, content);
}
