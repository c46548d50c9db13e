// violates: typescript/no-explicit-any
export const read = (value: any) => typeof value;
