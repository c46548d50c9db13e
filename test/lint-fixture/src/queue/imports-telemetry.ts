// violates: layers/cross-layer
import { trace } from "@opentelemetry/api";
export const tracer = trace.getTracer("queue");
