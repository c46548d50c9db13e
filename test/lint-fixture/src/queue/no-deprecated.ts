// violates: typescript/no-deprecated
/** @deprecated gone soon */
const old = 1;
export const value = old;
