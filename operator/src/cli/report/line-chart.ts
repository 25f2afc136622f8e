/** Values of several zones over time, as steps: what was seen holds until it was seen otherwise. Pure. */
import { countTicks, fitted, scale, spread, textWidth, timeTicks, type Plot } from './axes.ts';
import { figure, horizontalGrid, text, timeAxis, WIDTH } from './figure.ts';
import { element, type Markup } from './markup.ts';

/** One line. A point without a value: from then on it was not known. */
export interface Series {
  name: string;
  /** Its colour and dashes: the number of a zone, or that of all together. */
  look: number | 'total';
  points: readonly { atMs: number; value: number | undefined }[];
}

/** A stretch of time with a name. */
export interface Band {
  name: string;
  fromMs: number;
  toMs: number;
}

export interface LineChart {
  /** Unique in the page. */
  id: string;
  title: string;
  description: string;
  /** What the values are, such as `clients`. */
  unit: string;
  endMs: number;
  bands: readonly Band[];
  series: readonly Series[];
  height?: number;
}

/** Looks that zones have; after that they begin again. */
const LOOKS = 6;
const MAX_LABEL = 190;
/** How much wider the names are than other text: they are bold, in some fonts far more than in others. */
const BOLD = 1.25;

/** The chart as an SVG element. */
export function lineChart(chart: LineChart): Markup {
  const { id, title, description, unit, endMs, series, height = 300 } = chart;
  const labels = Math.min(MAX_LABEL, Math.max(40, ...series.map(({ name }) => BOLD * textWidth(name))));
  const plot: Plot = { left: 56, right: WIDTH - labels - 16, top: 44, bottom: height - 30 };
  const values = series.flatMap(({ points }) => points.map(({ value = 0 }) => value));
  const ticks = countTicks(values.reduce((a, b) => Math.max(a, b), 0));
  const x = scale(endMs, plot.left, plot.right);
  const y = scale(ticks.at(-1)?.at ?? 1, plot.bottom, plot.top);
  return figure({ id, title, description, height }, [
    bandsOf(chart.bands, plot, x),
    horizontalGrid(ticks, plot, y),
    timeAxis(timeTicks(endMs), plot, x),
    text({ x: 4, y: 14, class: 'unit' }, unit),
    series.map((one) =>
      element('path', { d: steps(one, { x, y, endMs }), class: `line ${lookOf(one.look)}` }),
    ),
    endLabels(series, plot, y),
  ]);
}

/** The class that gives a line its colour and its dashes. */
export function lookOf(look: Series['look']): string {
  return look === 'total' ? 'total' : `zone-${look % LOOKS}`;
}

function bandsOf(bands: readonly Band[], { top, bottom }: Plot, x: (ms: number) => number): Markup[] {
  return bands.flatMap(({ name, fromMs, toMs }, index) => {
    const [from, to] = [x(fromMs), x(toMs)];
    const width = to - from;
    const area = element('rect', {
      x: from,
      y: top - 22,
      width,
      height: bottom - top + 22,
      class: index % 2 === 0 ? 'band' : 'band odd',
    });
    // A name that would be cut says less than none: the phases have a chart of their own.
    if (textWidth(name) > width - 6) return [area];
    return [
      area,
      text({ x: from + width / 2, y: top - 8, class: 'band-name', 'text-anchor': 'middle' }, name),
    ];
  });
}

interface Place {
  x: (ms: number) => number;
  y: (value: number) => number;
  endMs: number;
}

function steps({ points }: Series, { x, y, endMs }: Place): string {
  const at = (n: number): string => String(Math.round(n * 100) / 100);
  const parts: string[] = [];
  let isDrawing = false;
  for (const { atMs, value } of points) {
    if (isDrawing) parts.push(`H${at(x(atMs))}`);
    if (value !== undefined) parts.push(isDrawing ? `V${at(y(value))}` : `M${at(x(atMs))} ${at(y(value))}`);
    isDrawing = value !== undefined;
  }
  if (isDrawing) parts.push(`H${at(x(endMs))}`);
  return parts.join('');
}

/** Each line has its name at its end, in words and not in colour alone. */
function endLabels(series: readonly Series[], plot: Plot, y: (value: number) => number): Markup[] {
  const wanted = series.map(({ points }) =>
    y(points.findLast(({ value }) => value !== undefined)?.value ?? 0),
  );
  const places = spread(wanted, 16, { from: plot.top - 6, to: plot.bottom });
  return series.map(({ name, look }, index) => {
    const place = places[index] ?? plot.bottom;
    const from = plot.right + 4;
    return element('g', { class: 'end' }, [
      element('path', {
        d: `M${from} ${wanted[index] ?? place}L${from + 8} ${place}`,
        class: `leader ${lookOf(look)}`,
      }),
      text({ x: from + 11, y: place + 4, class: `label ${lookOf(look)}` }, fitted(name, MAX_LABEL / BOLD)),
    ]);
  });
}
