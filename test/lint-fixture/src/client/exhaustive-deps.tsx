// violates: react-hooks/exhaustive-deps, react/exhaustive-effect-dependencies
import { useEffect } from "react";
export function Title({ text }: { text: string }) {
  useEffect(() => {
    document.title = text;
  }, []);
  return null;
}
