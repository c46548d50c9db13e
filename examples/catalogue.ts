/** The parts, with their prices in US dollars. */
export const CATALOGUE: Readonly<Record<string, number>> = { gpu: 1_899, server: 7_400, disk: 240, switch: 620 };

/** The price of a number of parts in US dollars; null when there is no such part. */
export function priceOf(part: string, quantity: number): number | null {
  const price = CATALOGUE[part.toLowerCase().replace(/s$/, "")];
  return price === undefined ? null : price * quantity;
}
