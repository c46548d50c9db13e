export interface Line {
  label: string;
  points: { x: number; y: number }[];
}

interface Axis {
  label: string;
  /** Logarithmic. */
  log?: boolean;
}

/** A line chart. */
export interface Plot {
  /** The file's name without its extension. */
  name: string;
  title: string;
  x: Axis;
  y: Axis;
  lines: Line[];
}

const [WIDTH, HEIGHT] = [760, 420];
const FRAME = { left: 72, right: 24, top: 48, bottom: 96 };
const COLOURS = ["#2563eb", "#ea580c", "#16a34a", "#9333ea", "#0891b2", "#be123c"];
const STEPS = 5;

/** The chart as SVG, with a white background so that dark pages can show it. */
export function draw({ title, x, y, lines }: Plot): string {
  const points = lines.flatMap((line) => line.points);
  const across = scale(
    x,
    points.map((point) => point.x),
    [FRAME.left, WIDTH - FRAME.right],
  );
  const up = scale(
    y,
    points.map((point) => point.y),
    [HEIGHT - FRAME.bottom, FRAME.top],
  );
  const floor = HEIGHT - FRAME.bottom;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>
<text x="${FRAME.left}" y="26" font-size="15" font-weight="600" fill="#111827">${escaped(title)}</text>
${up.ticks.map((tick) => `<path d="M${FRAME.left} ${at(up.place(tick))}H${WIDTH - FRAME.right}" stroke="#e5e7eb"/>${drawText(FRAME.left - 8, up.place(tick) + 4, { text: short(tick), anchor: "end" })}`).join("\n")}
${across.ticks.map((tick) => `<path d="M${at(across.place(tick))} ${floor}v5" stroke="#6b7280"/>${drawText(across.place(tick), floor + 19, { text: short(tick), anchor: "middle" })}`).join("\n")}
<path d="M${FRAME.left} ${floor}H${WIDTH - FRAME.right}" stroke="#6b7280"/>
${drawText((FRAME.left + WIDTH - FRAME.right) / 2, floor + 40, { text: x.label, anchor: "middle" })}
<text transform="translate(18 ${at((FRAME.top + floor) / 2)}) rotate(-90)" text-anchor="middle" fill="#374151">${escaped(y.label)}</text>
${lines.map((line, index) => drawLine(line, { colour: COLOURS[index % COLOURS.length] ?? "#000000", across: across.place, up: up.place })).join("\n")}
${lines.map((line, index) => drawLegend(line.label, index, lines.length)).join("\n")}
</svg>
`;
}

interface Scale {
  place: (value: number) => number;
  ticks: number[];
}

function scale({ log = false }: Axis, values: readonly number[], [from, to]: readonly [number, number]): Scale {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (log) {
    const [low, high] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
    const span = Math.max(high - low, 1);
    return {
      place: (value) => from + ((Math.log10(value) - low) / span) * (to - from),
      ticks: Array.from({ length: span + 1 }, (_, index) => 10 ** (low + index)),
    };
  }
  const step = roundStep(most / STEPS);
  const top = Math.ceil(most / step) * step;
  return {
    place: (value) => from + (value / top) * (to - from),
    ticks: Array.from({ length: Math.round(top / step) + 1 }, (_, index) => index * step),
  };
}

/** The least of 1, 2, 5, 10, 20 … that is at least `wanted`. */
function roundStep(wanted: number): number {
  const power = 10 ** Math.floor(Math.log10(wanted));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= wanted) ?? 10);
}

interface Pen {
  colour: string;
  across: Scale["place"];
  up: Scale["place"];
}

function drawLine({ points }: Line, { colour, across, up }: Pen): string {
  const places = points.map((point) => `${at(across(point.x))} ${at(up(point.y))}`);
  const dots = points.map(
    (point) => `<circle cx="${at(across(point.x))}" cy="${at(up(point.y))}" r="3.5" fill="${colour}"/>`,
  );
  return `<path d="M${places.join("L")}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join("")}`;
}

function drawLegend(label: string, index: number, count: number): string {
  const left = FRAME.left + (index * (WIDTH - FRAME.left - FRAME.right)) / count;
  const colour = COLOURS[index % COLOURS.length] ?? "#000000";
  return `<rect x="${at(left)}" y="${HEIGHT - 31}" width="14" height="4" fill="${colour}"/>${drawText(left + 20, HEIGHT - 25, { text: label, anchor: "start" })}`;
}

function drawText(x: number, y: number, { text, anchor }: { text: string; anchor: string }): string {
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" fill="#374151">${escaped(text)}</text>`;
}

function at(place: number): string {
  return String(Math.round(place * 10) / 10);
}

function short(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000} M`;
  return value >= 10_000 ? `${value / 1_000}k` : String(Number(value.toPrecision(6)));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
