/** A layer of `src`, as far as ARCHITECTURE.md shows it. */
interface Layer {
  owns: string;
  faces: readonly string[];
}
export const LAYERS: Readonly<Record<string, Layer>>;
