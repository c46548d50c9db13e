// violates: layers/cross-layer
export const load = async () => {
  await import("../graph/index.ts");
};
