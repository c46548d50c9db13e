// violates: layers/cross-layer
export { FencedSaver } from "#checkpoint";
