// violates: layers/cross-layer
import { FencedSaver } from "#checkpoint";
export const Saver = FencedSaver;
