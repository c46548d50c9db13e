// violates: layers/client-parts
import { Link } from "@tanstack/react-router";
export const Anchor = Link;
