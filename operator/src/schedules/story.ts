/** What is told of a schedule, as an event and in figures. */
export interface Story {
  what: 'Started' | 'Succeeded' | 'Failed' | 'Interrupted' | 'Skipped' | 'Resumed';
  note: string;
}
