/** What all charts have: a title and a description for those who do not see it, a grid, and a time axis. Pure. */
import type { Plot, Tick } from './axes.ts';
import { element, type Child, type Markup } from './markup.ts';

/** Width of each chart's view box. */
export const WIDTH = 860;

interface Frame {
  /** Unique in the page. */
  id: string;
  title: string;
  /** What it shows, with its figures. */
  description: string;
  height: number;
}

/** An SVG element that says what it is. */
export function figure({ id, title, description, height }: Frame, content: Child): Markup {
  return element(
    'svg',
    {
      viewBox: `0 0 ${WIDTH} ${height}`,
      role: 'img',
      'aria-labelledby': `${id}-title ${id}-description`,
      xmlns: 'http://www.w3.org/2000/svg',
    },
    element('title', { id: `${id}-title` }, title),
    element('desc', { id: `${id}-description` }, description),
    content,
  );
}

export function text(attributes: Readonly<Record<string, string | number>>, words: string): Markup {
  return element('text', attributes, words);
}

/** Lines across, with their values on the left. */
export function horizontalGrid(ticks: readonly Tick[], plot: Plot, y: (value: number) => number): Markup[] {
  return ticks.map(({ at, label }) =>
    element(
      'g',
      {},
      element('line', { x1: plot.left, x2: plot.right, y1: y(at), y2: y(at), class: 'grid' }),
      text({ x: plot.left - 6, y: y(at) + 4, class: 'tick', 'text-anchor': 'end' }, label),
    ),
  );
}

/** Ticks below, and what they are. */
export function timeAxis(ticks: readonly Tick[], plot: Plot, x: (value: number) => number): Markup[] {
  return ticks.map(({ at, label }) =>
    element(
      'g',
      {},
      element('line', { x1: x(at), x2: x(at), y1: plot.bottom, y2: plot.bottom + 5, class: 'axis' }),
      text({ x: x(at), y: plot.bottom + 19, class: 'tick', 'text-anchor': 'middle' }, label),
    ),
  );
}
