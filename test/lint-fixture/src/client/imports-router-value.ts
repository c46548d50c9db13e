// violates: layers/cross-layer
import { appRouter } from "#server/router";
export const router = appRouter;
