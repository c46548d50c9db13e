import { Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { Button, EmptyNotice, ErrorNotice } from "../ui/index.ts";

/** Shown for an unknown address. */
export function NotFound() {
  return (
    <main className="grid h-full place-items-center">
      <EmptyNotice icon={<Compass aria-hidden className="size-5" />} title="Page not found">
        There is nothing at this address.{" "}
        <Link to="/" className="text-accent underline underline-offset-2">
          Start a new chat
        </Link>
      </EmptyNotice>
    </main>
  );
}

/** Shown when rendering a page failed. */
export function PageFailed({ reset }: { reset: () => void }) {
  return (
    <main className="mx-auto max-w-lg p-6">
      <ErrorNotice
        action={
          <Button size="sm" onClick={reset}>
            Try again
          </Button>
        }
      >
        This page could not be shown.
      </ErrorNotice>
    </main>
  );
}
