// violates: layers/cross-layer
export { submitTurn } from "#conversation";
