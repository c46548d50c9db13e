// violates: typescript/no-base-to-string
export const text = (value: object) => String(value);
