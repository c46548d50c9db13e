// violates: layers/cross-layer
import fastify from "fastify";
export const app = fastify();
