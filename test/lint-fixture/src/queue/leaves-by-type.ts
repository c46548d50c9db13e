// violates: layers/cross-layer
export type Saver = import("../checkpoint/index.ts").FencedSaver;
