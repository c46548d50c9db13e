// violates: layers/cross-layer
import type { AppRouter } from "#server/router";
export type Router = AppRouter;
