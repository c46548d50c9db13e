// violates: typescript/switch-exhaustiveness-check
export function name(kind: "a" | "b") {
  switch (kind) {
    case "a":
      return 1;
  }
  return 2;
}
