// violates: layers/cross-layer, typescript/consistent-type-imports
export type Saver = import("../checkpoint/index.ts").FencedSaver;
