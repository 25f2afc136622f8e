/** What each benchmark contributes to docs/benchmarks.md. */
import type { Machine } from './machine.ts';

/** One benchmark's part of the page. */
export interface Section {
  title: string;
  /** How to run it again. */
  command: string;
  /** Under what it was measured. */
  machine: Partial<Machine>;
  /** Markdown. */
  body: string;
  /** Where we are behind a peer or a figure, or something was lost; a sentence each. Empty: nowhere. */
  shortfalls: string[];
}
