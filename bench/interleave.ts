/**
 * Measures the cases in turn for several rounds. Each round begins with the next case, so that a slow phase of the machine
 * hits all cases alike. Returns the samples of each case.
 */
export async function interleave<Name extends string, Sample>(
  cases: Record<Name, () => Promise<Sample>>,
  rounds: number,
  log: (name: Name, sample: Sample) => void,
): Promise<Record<Name, Sample[]>> {
  const names = Object.keys(cases) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, Sample[]>;
  for (let round = 0; round < rounds; round += 1) {
    const first = round % names.length;
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const sample = await cases[name]();
      samples[name].push(sample);
      log(name, sample);
    }
  }
  return samples;
}
