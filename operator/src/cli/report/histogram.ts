/** How a time is distributed over clients. Pure. */
import { countTicks, scale, textWidth, type Plot } from './axes.ts';
import { figure, horizontalGrid, text, WIDTH } from './figure.ts';
import { element, type Markup } from './markup.ts';
import type { Distribution } from './measurements.ts';
import { count, seconds } from './words.ts';

const HEIGHT = 240;
/** Numbers below the axis at most. */
const MAX_LABELS = 8;

/** The chart as an SVG element. `id`: unique in the page. */
export function histogram(id: string, title: string, distribution: Distribution): Markup {
  const { bins, p50, p99, max, count: clients } = distribution;
  const plot: Plot = { left: 56, right: WIDTH - 40, top: 48, bottom: HEIGHT - 30 };
  const end = bins.at(-1)?.to ?? 1;
  const ticks = countTicks(bins.reduce((most, { count: n }) => Math.max(most, n), 0));
  const x = scale(end, plot.left, plot.right);
  const y = scale(ticks.at(-1)?.at ?? 1, plot.bottom, plot.top);
  const description = `${count(clients)} clients: half within ${seconds(p50)}, 99% within ${seconds(p99)}, the last after ${seconds(max)}.`;
  return figure({ id, title, description, height: HEIGHT }, [
    horizontalGrid(ticks, plot, y),
    bins.map(({ from, to, count: n }) =>
      element(
        'rect',
        {
          x: x(from) + 0.5,
          y: y(n),
          width: Math.max(1, x(to) - x(from) - 1),
          height: plot.bottom - y(n),
          class: 'bar go',
        },
        element('title', {}, `${count(n)} from ${trimmed(from)} to ${trimmed(to)} s`),
      ),
    ),
    edgeLabels(bins, plot, x),
    text({ x: 4, y: 14, class: 'unit' }, 'clients'),
    mark({ words: `P50 ${seconds(p50)}`, at: x(p50), y: 26 }, plot),
    mark({ words: `P99 ${seconds(p99)}`, at: x(p99), y: 42 }, plot),
  ]);
}

function edgeLabels(bins: Distribution['bins'], plot: Plot, x: (value: number) => number): Markup[] {
  const edges = [...bins.map(({ from }) => from), bins.at(-1)?.to ?? 0];
  const every = Math.ceil(edges.length / MAX_LABELS);
  return edges
    .filter((_, index) => index % every === 0)
    .map((edge) =>
      text({ x: x(edge), y: plot.bottom + 19, class: 'tick', 'text-anchor': 'middle' }, `${trimmed(edge)} s`),
    );
}

/** The end of a bar, without what binary fractions add. */
function trimmed(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** A line through the chart, with its words on the side that has room. */
function mark({ words, at, y }: { words: string; at: number; y: number }, plot: Plot): Markup {
  const fits = at + 6 + textWidth(words) <= plot.right;
  return element('g', {}, [
    element('line', { x1: at, x2: at, y1: y - 10, y2: plot.bottom, class: 'mark' }),
    text({ x: fits ? at + 5 : at - 5, y, class: 'tick', 'text-anchor': fits ? 'start' : 'end' }, words),
  ]);
}
