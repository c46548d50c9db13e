// violates: react-hooks/rules-of-hooks, react/hooks
import { useState } from "react";
export function Toggle({ on }: { on: boolean }) {
  if (on) {
    const [value] = useState(1);
    return <p>{value}</p>;
  }
  return null;
}
