/**
 * Measures the cases in turn, several rounds of them, each round beginning with the next case, so that what slows the
 * machine for a while slows all of them. Returns every case's samples.
 */
export async function inTurn<Name extends string, Sample>(
  cases: Record<Name, () => Promise<Sample>>,
  rounds: number,
  say: (name: Name, sample: Sample) => void,
): Promise<Record<Name, Sample[]>> {
  const names = Object.keys(cases) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Sample[]>;
  for (let round = 0; round < rounds; round += 1) {
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const sample = await cases[name]();
      samples[name].push(sample);
      say(name, sample);
    }
  }
  return samples;
}
