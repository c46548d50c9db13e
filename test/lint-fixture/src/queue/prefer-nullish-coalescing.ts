// violates: typescript/prefer-nullish-coalescing
export const read = (value: string | undefined) => value || "x";
