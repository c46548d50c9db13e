export interface Line {
  says: string;
  points: { x: number; y: number }[];
}

/** A chart to be drawn: lines over one axis. */
export interface Plot {
  /** Its file's name, without the ending. */
  name: string;
  title: string;
  x: { says: string; log?: boolean };
  y: { says: string; log?: boolean };
  lines: Line[];
}
